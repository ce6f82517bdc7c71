INSERT INTO answers (subject_hash, institution, date, consents, usable, failure, answered_us, available_until_us)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);
