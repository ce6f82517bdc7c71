SELECT visit, lane, kind, state, failure, consent, numbers_known, tries, date, filed_us, asked_us, ended_us, payload
FROM slips WHERE visit = ?1;
