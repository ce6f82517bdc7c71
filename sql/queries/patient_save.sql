UPDATE patients SET seen_us = ?2, payload = ?3 WHERE id = ?1;
