DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 2 AND ended_us < ?1 ORDER BY ended_us LIMIT ?2);
