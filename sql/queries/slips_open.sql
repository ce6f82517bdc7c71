SELECT visit, lane, kind, state, failure, consent, numbers_known, tries, date, filed_us, asked_us, ended_us, payload
FROM slips WHERE ended_us = 0 AND (?2 = 0 OR visit < ?2) ORDER BY visit DESC LIMIT ?1;
