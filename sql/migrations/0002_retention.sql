-- What is older than the retention is found by time; visits whose answer goes are found by the answer.
CREATE INDEX answers_by_time ON answers (answered_us);
CREATE INDEX visits_by_answer ON visits (answer) WHERE answer IS NOT NULL;
