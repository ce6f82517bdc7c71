INSERT OR IGNORE INTO relay_kept (hash, at_us) VALUES (?1, ?2);
