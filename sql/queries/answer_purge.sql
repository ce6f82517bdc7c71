UPDATE answers SET raw = NULL, available_until_us = 0 WHERE available_until_us > 0 AND available_until_us <= ?1;
