SELECT patient FROM patient_keys WHERE kind = ?1 AND key_hash = ?2 ORDER BY patient LIMIT ?3;
