SELECT min(available_until_us) FROM answers WHERE available_until_us > 0;
