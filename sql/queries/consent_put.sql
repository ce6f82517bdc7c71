INSERT INTO consents (visit, kind, given, at_us, until_us) VALUES (?1, ?2, ?3, ?4, ?5);
