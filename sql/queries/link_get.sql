SELECT payload FROM links WHERE subject_hash = ?1;
