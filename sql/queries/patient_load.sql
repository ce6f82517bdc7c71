SELECT id, linked_us, seen_us, payload FROM patients WHERE id = ?1;
