-- Who may sign in at the board. name_hash is a keyed hash; name, password hash and TOTP secret are sealed in payload.
CREATE TABLE accounts (
    name_hash BLOB PRIMARY KEY CHECK (length(name_hash) = 32),
    role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    epoch INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    locked_until_us INTEGER NOT NULL,
    totp_step INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT, WITHOUT ROWID;
