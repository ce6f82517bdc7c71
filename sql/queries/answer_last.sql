SELECT id, institution, date, consents, usable, failure, answered_us, available_until_us, tree, raw
FROM answers WHERE subject_hash = ?1 AND institution = ?2 AND usable = 1 AND date <= ?3
ORDER BY answered_us DESC, id DESC LIMIT 1;
