SELECT id, at_us, event, visit, lane, who, detail, hash FROM audit ORDER BY id;
