-- How often a failure was shown on which day (in Japan): for the administration page. No visit, no person.
CREATE TABLE troubles (
    day TEXT NOT NULL CHECK (length(day) = 8),
    failure INTEGER NOT NULL,
    count INTEGER NOT NULL CHECK (count > 0),
    PRIMARY KEY (day, failure)
) STRICT, WITHOUT ROWID;
