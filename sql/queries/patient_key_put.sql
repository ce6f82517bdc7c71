INSERT OR IGNORE INTO patient_keys (kind, key_hash, patient, at_us) VALUES (?1, ?2, ?3, ?4);
