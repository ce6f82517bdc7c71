SELECT day, failure, count FROM troubles WHERE day >= ?1 ORDER BY day DESC, count DESC LIMIT ?2;
