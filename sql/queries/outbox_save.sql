UPDATE outbox SET state = ?2, failure = ?3, tries = ?4, name = ?5, mark = ?6, tried_us = ?7, due_us = ?8, ended_us = ?9,
    payload = ?10, same_hash = ?11
WHERE id = ?1;
