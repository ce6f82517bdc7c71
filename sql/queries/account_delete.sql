DELETE FROM accounts WHERE name_hash = ?1;
