SELECT hash FROM audit WHERE id = ?1;
