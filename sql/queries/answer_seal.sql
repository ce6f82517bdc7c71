UPDATE answers SET tree = ?2, raw = ?3 WHERE id = ?1;
