-- What hangs on this terminal, and how that changed. Serial numbers as the policy allows them.

CREATE TABLE inventory (
    component TEXT PRIMARY KEY,                  -- printer, scanner, keypad, or usb:PORT
    since_ms  INTEGER NOT NULL,                  -- UTC, since when it is there as it is
    facts     TEXT    NOT NULL                   -- JSON object of texts
) WITHOUT ROWID;

CREATE TABLE inventory_change (
    id        INTEGER PRIMARY KEY,
    component TEXT    NOT NULL,
    at_ms     INTEGER NOT NULL,
    before    TEXT,                              -- JSON; NULL: it came
    after     TEXT                               -- JSON; NULL: it went
);
