-- Drills of an outage, one row each; body is JSON of the steps. Written at the beginning too, so
-- that a start after a power cut knows what was under way.
CREATE TABLE drill (
    number     INTEGER PRIMARY KEY,
    state      TEXT NOT NULL,       -- running | done
    started_ms INTEGER NOT NULL,    -- UTC
    body       TEXT NOT NULL
) STRICT;

-- What was true on the terminal while the payments from first_seq to last_seq were captured; for
-- statistics only, written in batches, lost without harm: then it is unknown.
CREATE TABLE around (
    journal_ms INTEGER NOT NULL,    -- when that journal began: another one counts anew
    first_seq  INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    network    TEXT NOT NULL,
    channel    TEXT NOT NULL,
    signal     TEXT NOT NULL,
    printer    TEXT NOT NULL,
    PRIMARY KEY (journal_ms, first_seq)
) STRICT, WITHOUT ROWID;
