SELECT id, visit, target, kind, cause, state, failure, tries, answer, name, mark, made_us, tried_us, due_us, ended_us, payload
FROM outbox WHERE state <> 2 AND (?2 = 0 OR id < ?2) ORDER BY id DESC LIMIT ?1;
