DELETE FROM visits WHERE id IN (SELECT id FROM visits WHERE closed_us > 0 AND opened_us < ?1 ORDER BY opened_us LIMIT ?2);
