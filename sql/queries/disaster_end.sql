UPDATE disasters SET ended_us = ?1 WHERE ended_us = 0;
