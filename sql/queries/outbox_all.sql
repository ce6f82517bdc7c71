SELECT id, visit, target, kind, cause, state, failure, tries, answer, name, mark, made_us, tried_us, due_us, ended_us, payload
FROM outbox ORDER BY id DESC LIMIT ?1;
