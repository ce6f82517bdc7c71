-- The desk's memory. Sealed columns (payload, tree, raw, who) are AES-256-GCM; subject_hash is a keyed hash.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE answers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subject_hash BLOB NOT NULL CHECK (length(subject_hash) = 32),
    institution TEXT NOT NULL CHECK (length(institution) = 10),
    date TEXT NOT NULL CHECK (length(date) = 8),
    consents INTEGER NOT NULL,
    usable INTEGER NOT NULL CHECK (usable IN (0, 1)),
    failure INTEGER NOT NULL,
    answered_us INTEGER NOT NULL,
    available_until_us INTEGER NOT NULL DEFAULT 0,
    tree BLOB,
    raw BLOB
) STRICT;
CREATE INDEX answers_by_subject ON answers (subject_hash, institution, date, id);
CREATE INDEX answers_by_end ON answers (available_until_us) WHERE available_until_us > 0;

CREATE TABLE visits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lane INTEGER NOT NULL,
    state INTEGER NOT NULL,
    method INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    failure INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    step INTEGER NOT NULL,
    opened_us INTEGER NOT NULL,
    closed_us INTEGER NOT NULL DEFAULT 0,
    record INTEGER NOT NULL,
    challenge INTEGER NOT NULL,
    liveness INTEGER NOT NULL,
    score_milli INTEGER NOT NULL,
    consents INTEGER NOT NULL,
    face_failed INTEGER NOT NULL,
    card_ms INTEGER NOT NULL,
    photo_ms INTEGER NOT NULL,
    face_ms INTEGER NOT NULL,
    pin_ms INTEGER NOT NULL,
    ask_ms INTEGER NOT NULL,
    total_ms INTEGER NOT NULL,
    apdus INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    answer INTEGER REFERENCES answers (id) ON DELETE SET NULL,
    subject_hash BLOB CHECK (subject_hash IS NULL OR length(subject_hash) = 32),
    payload BLOB
) STRICT;
CREATE INDEX visits_by_time ON visits (opened_us);
CREATE INDEX visits_open ON visits (id) WHERE closed_us = 0;

CREATE TABLE links (
    subject_hash BLOB PRIMARY KEY CHECK (length(subject_hash) = 32),
    linked_us INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE consents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    visit INTEGER NOT NULL REFERENCES visits (id) ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    given INTEGER NOT NULL CHECK (given IN (0, 1)),
    at_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL
) STRICT;
CREATE INDEX consents_by_visit ON consents (visit);
CREATE INDEX consents_by_end ON consents (until_us);

CREATE TABLE asks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    visit INTEGER NOT NULL REFERENCES visits (id) ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    writes INTEGER NOT NULL CHECK (writes IN (0, 1)),
    correlation TEXT NOT NULL UNIQUE,
    asked_us INTEGER NOT NULL,
    ended_us INTEGER NOT NULL DEFAULT 0,
    outcome INTEGER NOT NULL DEFAULT 255
) STRICT;
CREATE INDEX asks_open ON asks (id) WHERE outcome = 255;
CREATE INDEX asks_by_visit ON asks (visit);

-- Each row's hash covers the row before it; meta.audit_head names the last one, so that a cut end shows.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    event TEXT NOT NULL,
    visit INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    who BLOB,
    detail TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
