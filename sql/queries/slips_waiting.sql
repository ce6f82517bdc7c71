SELECT visit, lane, kind, state, failure, consent, numbers_known, tries, date, filed_us, asked_us, ended_us, payload
FROM slips WHERE ended_us = 0 AND state = 0 ORDER BY asked_us, visit LIMIT ?1;
