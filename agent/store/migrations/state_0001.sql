-- state.db: what may be deleted without losing money. Health history and the telemetry outbox.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Messages for the fleet, kept until the broker acknowledged them (PUBACK deletes the row).
CREATE TABLE outbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,  -- also the `seq` receivers de-duplicate on
    kind     TEXT    NOT NULL,                   -- state, info, health, backlog, event
    priority INTEGER NOT NULL,                   -- 0 first; only the highest number is thinned
    retained INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,                   -- UTC, when it was recorded
    body     BLOB    NOT NULL
);
CREATE INDEX outbox_order ON outbox (priority, seq);

-- One row per condition that is not plain "fine": recorded, perhaps not yet shown.
CREATE TABLE alarm (
    code      TEXT PRIMARY KEY,
    since_ms  INTEGER NOT NULL,                  -- UTC, when it began
    shown_ms  INTEGER,                           -- UTC, when it became visible; NULL: not yet
    flaps     INTEGER NOT NULL,
    args      TEXT    NOT NULL                   -- JSON object for the texts
) WITHOUT ROWID;

CREATE TABLE health_history (
    id        INTEGER PRIMARY KEY,
    code      TEXT    NOT NULL,
    what      TEXT    NOT NULL,                  -- began, shown, cleared, ended
    at_ms     INTEGER NOT NULL,
    boot_ms   INTEGER NOT NULL,
    args      TEXT    NOT NULL
);
CREATE INDEX health_history_at ON health_history (at_ms);

-- The last reading of each component, for `status` and `why` when the daemon is dead.
CREATE TABLE reading (
    component TEXT PRIMARY KEY,
    at_ms     INTEGER NOT NULL,
    kind      TEXT    NOT NULL,                  -- reading, not_fitted, not_observable, unknown
    body      TEXT    NOT NULL                   -- JSON
) WITHOUT ROWID;
