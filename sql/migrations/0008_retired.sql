-- What is no visit and no answer grows old too: found by time.
CREATE INDEX patients_by_time ON patients (seen_us);
CREATE INDEX links_by_time ON links (linked_us);
CREATE INDEX relay_kept_by_time ON relay_kept (at_us);
