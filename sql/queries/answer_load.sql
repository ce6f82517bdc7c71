SELECT id, institution, date, consents, usable, failure, answered_us, available_until_us, tree, raw
FROM answers WHERE id = ?1;
