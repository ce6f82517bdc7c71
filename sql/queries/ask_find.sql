SELECT id, visit, kind, writes, correlation, asked_us, ended_us, outcome FROM asks WHERE correlation = ?1;
