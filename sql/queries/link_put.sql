INSERT INTO links (subject_hash, linked_us, payload) VALUES (?1, ?2, ?3)
ON CONFLICT (subject_hash) DO UPDATE SET linked_us = excluded.linked_us, payload = excluded.payload;
