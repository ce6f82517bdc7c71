SELECT id, at_us, event, visit, lane, who, detail FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2;
