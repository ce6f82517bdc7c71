DELETE FROM relay_kept WHERE hash IN (SELECT hash FROM relay_kept WHERE at_us < ?1 ORDER BY at_us LIMIT ?2);
