SELECT id, at_us, event, visit, lane, who, detail, hash FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2;
