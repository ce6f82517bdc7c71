INSERT INTO patients (number_hash, linked_us, seen_us, payload) VALUES (?1, ?2, ?3, x'');
