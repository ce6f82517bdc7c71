DELETE FROM patient_keys WHERE kind = ?1 AND key_hash = ?2 AND (?3 = 0 OR patient = ?3);
