DELETE FROM consents WHERE until_us <= ?1;
