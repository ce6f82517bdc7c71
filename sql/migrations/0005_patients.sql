-- The clinic's patients as far as answers have named them: number and what was last said of them are sealed in payload.
CREATE TABLE patients (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number_hash BLOB NOT NULL UNIQUE CHECK (length(number_hash) = 32),
    linked_us INTEGER NOT NULL,
    seen_us INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;
-- How a patient is found: by card, certificate numbers, birth date, alias; and who was said not to be this one.
CREATE TABLE patient_keys (
    kind INTEGER NOT NULL,
    key_hash BLOB NOT NULL CHECK (length(key_hash) = 32),
    patient INTEGER NOT NULL REFERENCES patients (id) ON DELETE CASCADE,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (kind, key_hash, patient)
) STRICT, WITHOUT ROWID;
CREATE INDEX patient_keys_by_patient ON patient_keys (patient);
-- What a relay told and this desk keeps (visits of official terminals, answers that came late): never kept twice.
CREATE TABLE relay_kept (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
