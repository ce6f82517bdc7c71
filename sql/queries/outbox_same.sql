SELECT id, visit, target, kind, cause, state, failure, tries, answer, name, mark, made_us, tried_us, due_us, ended_us, payload
FROM outbox WHERE kind = 3 AND state <> 2 AND state <> 4 AND target = ?1 AND same_hash = ?2
UNION ALL
SELECT id, visit, target, kind, cause, state, failure, tries, answer, name, mark, made_us, tried_us, due_us, ended_us, payload
FROM outbox WHERE kind = 3 AND state <> 2 AND state <> 4 AND target = ?1 AND same_hash IS NULL;
