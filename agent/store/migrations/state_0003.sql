-- What software runs on this terminal, and how that changed.

CREATE TABLE software (
    component TEXT PRIMARY KEY,                  -- agent, os, kernel, or as the configuration names it
    version   TEXT    NOT NULL,
    since_ms  INTEGER NOT NULL,                  -- UTC, since when it is this version, as far as known
    seen_ms   INTEGER NOT NULL                   -- UTC, when it was read last: no change is older
) WITHOUT ROWID;

CREATE TABLE software_change (
    id        INTEGER PRIMARY KEY,
    component TEXT    NOT NULL,
    at_ms     INTEGER NOT NULL,                  -- UTC, when it changed, as far as that can be told
    noticed_ms INTEGER NOT NULL,                 -- UTC, when it was noticed
    before    TEXT    NOT NULL,                  -- "": it came
    after     TEXT    NOT NULL                   -- "": it went
);
