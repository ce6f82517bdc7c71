INSERT INTO outbox (visit, target, kind, cause, state, answer, name, made_us) VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7)
ON CONFLICT (visit, target, cause) DO NOTHING;
