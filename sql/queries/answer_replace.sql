UPDATE answers SET tree = ?2, raw = NULL, available_until_us = ?3 WHERE id = ?1;
