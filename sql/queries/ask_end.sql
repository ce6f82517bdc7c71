UPDATE asks SET ended_us = ?2, outcome = ?3 WHERE id = ?1;
