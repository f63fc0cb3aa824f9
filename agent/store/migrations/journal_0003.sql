-- From checks and prepared messages to signed commands and the trail of who did what. They are here
-- and not in state.db, which may be deleted: a command must never be done twice for that.

-- Every command that was taken or refused for good, with what became of it.
CREATE TABLE command (
    cmd_id    TEXT PRIMARY KEY,
    key_id    TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    digest    BLOB    NOT NULL,                  -- of the signed bytes
    op        TEXT    NOT NULL,
    target    TEXT    NOT NULL,
    at_ms     INTEGER NOT NULL,
    state     INTEGER NOT NULL,                  -- 0 accepted, 1 running, 2 done
    status    TEXT    NOT NULL,
    code      TEXT    NOT NULL,
    detail    TEXT    NOT NULL,
    result    BLOB,                              -- JSON
    ended_ms  INTEGER,
    mac       BLOB    NOT NULL
) WITHOUT ROWID;
CREATE INDEX command_open ON command (state) WHERE state < 2;
CREATE INDEX command_age ON command (at_ms);

-- The highest sequence ever taken from a key; kept in the counters file as well.
CREATE TABLE command_key (
    name TEXT PRIMARY KEY,                       -- hash of the key's id
    seq  INTEGER NOT NULL
) WITHOUT ROWID;

-- Who did what: each line carries the hash of the one before.
CREATE TABLE audit (
    n       INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    op      TEXT    NOT NULL,
    target  TEXT    NOT NULL,
    outcome TEXT    NOT NULL,
    count   INTEGER NOT NULL,
    before  BLOB    NOT NULL,
    hash    BLOB    NOT NULL
);

-- Its two ends, sealed: what was written last, and what was forgotten last.
CREATE TABLE audit_end (
    name TEXT PRIMARY KEY,                       -- head, start
    n    INTEGER NOT NULL,
    hash BLOB    NOT NULL,
    mac  BLOB    NOT NULL
) WITHOUT ROWID;
