INSERT INTO slips (visit, lane, kind, state, failure, consent, numbers_known, tries, date, filed_us, asked_us, ended_us, payload)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
ON CONFLICT (visit) DO UPDATE SET lane = ?2, kind = ?3, state = ?4, failure = ?5, consent = ?6, numbers_known = ?7,
    tries = ?8, date = ?9, filed_us = ?10, asked_us = ?11, ended_us = ?12, payload = ?13;
