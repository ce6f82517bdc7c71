INSERT INTO asks (visit, kind, writes, correlation, asked_us) VALUES (?1, ?2, ?3, ?4, ?5);
