DELETE FROM troubles WHERE day < strftime('%Y%m%d', ?1 / 1000000 + 32400, 'unixepoch') AND ?2 > 0;
