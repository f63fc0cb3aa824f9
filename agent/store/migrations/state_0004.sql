-- Self-inspections: what was checked when, and what came of it. The last ones are kept.

CREATE TABLE inspection (
    number     INTEGER PRIMARY KEY,
    trigger    TEXT    NOT NULL,                 -- asked, schedule
    actor      TEXT    NOT NULL,
    started_ms INTEGER NOT NULL,                 -- UTC
    ended_ms   INTEGER NOT NULL,
    body       TEXT    NOT NULL                  -- JSON: the checks
);
