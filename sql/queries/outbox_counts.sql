SELECT kind, state, count(*), coalesce(min(made_us), 0) FROM outbox GROUP BY kind, state;
