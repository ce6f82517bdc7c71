SELECT min(due_us) FROM outbox WHERE target = ?1 AND state < 2;
