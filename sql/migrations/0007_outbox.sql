-- The outbox: what is to be handed over to others, written with the step that causes it. At most one a visit, target
-- and cause. payload is sealed, and empty when the entry is done.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    visit INTEGER NOT NULL REFERENCES visits (id) ON DELETE CASCADE,
    target TEXT NOT NULL,
    kind INTEGER NOT NULL,
    cause INTEGER NOT NULL,
    state INTEGER NOT NULL,
    failure INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    answer INTEGER REFERENCES answers (id) ON DELETE SET NULL,
    name TEXT NOT NULL DEFAULT '',
    mark TEXT NOT NULL DEFAULT '',
    made_us INTEGER NOT NULL,
    tried_us INTEGER NOT NULL DEFAULT 0,
    due_us INTEGER NOT NULL DEFAULT 0,
    ended_us INTEGER NOT NULL DEFAULT 0,
    payload BLOB,
    UNIQUE (visit, target, cause)
) STRICT;
-- What is on its way (state 0 or 1), what waits for staff (3 or 4), and what is over.
CREATE INDEX outbox_waiting ON outbox (target, id) WHERE state < 2;
CREATE INDEX outbox_staff ON outbox (id) WHERE state > 2;
CREATE INDEX outbox_done ON outbox (ended_us) WHERE state = 2;
CREATE INDEX outbox_by_answer ON outbox (answer) WHERE answer IS NOT NULL;
