SELECT count(*) FROM consents WHERE visit = ?1;
