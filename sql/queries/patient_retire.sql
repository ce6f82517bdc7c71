DELETE FROM patients WHERE id IN (SELECT id FROM patients WHERE seen_us < ?1 ORDER BY seen_us LIMIT ?2);
