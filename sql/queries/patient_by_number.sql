SELECT id, linked_us, seen_us, payload FROM patients WHERE number_hash = ?1;
