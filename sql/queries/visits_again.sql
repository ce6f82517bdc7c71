SELECT count(*) FROM visits WHERE subject_hash = ?1 AND opened_us >= ?2 AND id <> ?3 AND outcome IN (1, 4, 8);
