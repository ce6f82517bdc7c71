INSERT INTO disasters (cause, since_us, until_us, payload) VALUES (?1, ?2, ?3, ?4);
