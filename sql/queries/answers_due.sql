SELECT id, tree FROM answers WHERE available_until_us > 0 AND available_until_us <= ?1 ORDER BY available_until_us LIMIT ?2;
