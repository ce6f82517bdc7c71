SELECT id, visit, target, kind, cause, state, failure, tries, answer, name, mark, made_us, tried_us, due_us, ended_us, payload
FROM outbox WHERE target = ?1 AND state < 2 AND due_us <= ?2 ORDER BY id LIMIT ?3;
