-- Slips: visits accepted without an answer of their day; each is asked for later. At most one a visit.
CREATE TABLE slips (
    visit INTEGER PRIMARY KEY REFERENCES visits (id) ON DELETE CASCADE,
    lane INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,
    failure INTEGER NOT NULL,
    consent INTEGER NOT NULL,
    numbers_known INTEGER NOT NULL CHECK (numbers_known IN (0, 1)),
    tries INTEGER NOT NULL,
    date TEXT NOT NULL CHECK (length(date) = 8),
    filed_us INTEGER NOT NULL,
    asked_us INTEGER NOT NULL DEFAULT 0,
    ended_us INTEGER NOT NULL DEFAULT 0,
    payload BLOB NOT NULL
) STRICT;
CREATE INDEX slips_open ON slips (state, asked_us, visit) WHERE ended_us = 0;

-- Disaster mode: by whose word (sealed) and until when. At most one is open.
CREATE TABLE disasters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    cause INTEGER NOT NULL,
    since_us INTEGER NOT NULL UNIQUE, -- the seal is bound to it
    until_us INTEGER NOT NULL,
    ended_us INTEGER NOT NULL DEFAULT 0,
    payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX disasters_open ON disasters (ended_us) WHERE ended_us = 0;

-- Was the same card here a moment ago?
CREATE INDEX visits_by_subject ON visits (subject_hash, opened_us) WHERE subject_hash IS NOT NULL;
