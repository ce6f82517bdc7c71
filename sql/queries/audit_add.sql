INSERT INTO audit (id, at_us, event, visit, lane, who, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);
