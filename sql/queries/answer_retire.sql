DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE answered_us < ?1 ORDER BY answered_us LIMIT ?2);
