SELECT id, visit, kind, writes, correlation, asked_us, ended_us, outcome FROM asks WHERE outcome = 255 ORDER BY id;
