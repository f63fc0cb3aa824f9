-- journal.db: money. page_size=1024 is set before the first table: a payment's life then costs
-- about 29 KiB of flash instead of 65.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Every boot of the terminal that wrote here; boot-time stamps are (boot_ms, boot_no).
CREATE TABLE boot (
    no       INTEGER PRIMARY KEY,
    boot_id  TEXT    NOT NULL UNIQUE,
    first_ms INTEGER NOT NULL
);

CREATE TABLE tx (
    seq                 INTEGER PRIMARY KEY,     -- order of acceptance; never reused
    key                 TEXT    NOT NULL UNIQUE,
    -- what can change; mac covers it
    state               INTEGER NOT NULL,        -- position in core.money.journal.State; < 4: unsent
    in_doubt            INTEGER NOT NULL,
    version             INTEGER NOT NULL,
    sent                INTEGER NOT NULL,
    tried               INTEGER NOT NULL,
    not_found           INTEGER NOT NULL,
    payload_version     INTEGER NOT NULL,
    next_wall_ms        INTEGER NOT NULL,
    next_boot_ms        INTEGER NOT NULL,
    boot_no             INTEGER NOT NULL,
    changed_ms          INTEGER NOT NULL,
    first_sent_ms       INTEGER,
    first_sent_boot_ms  INTEGER,
    first_sent_boot_no  INTEGER,
    last_sent_ms        INTEGER,
    last_sent_boot_ms   INTEGER,
    last_sent_boot_no   INTEGER,
    cause               TEXT    NOT NULL,
    note                TEXT    NOT NULL,
    result              TEXT,                    -- JSON of HostResult
    mac                 BLOB    NOT NULL,
    -- what was handed over; never changes
    stored_ms           INTEGER NOT NULL,
    stored_boot_ms      INTEGER NOT NULL,
    stored_boot_no      INTEGER NOT NULL,
    lane                TEXT,
    uplink              TEXT    NOT NULL,
    amount_minor        INTEGER,
    currency            TEXT,
    posted_amount_minor INTEGER,
    terminal_id         TEXT    NOT NULL,
    merchant_id         TEXT    NOT NULL,
    kind                TEXT    NOT NULL,
    posting             TEXT    NOT NULL,
    delivery            TEXT    NOT NULL,
    customer_saw        TEXT    NOT NULL,
    occurred_ms         INTEGER NOT NULL,
    send_before_ms      INTEGER,
    first_attempt_ms    INTEGER,
    attempts            INTEGER NOT NULL,
    stan                TEXT,
    batch               TEXT,
    rrn                 TEXT,
    refers_to           TEXT,
    covers              TEXT,                    -- JSON array of keys
    reversal_key        TEXT,
    card                TEXT,                    -- JSON {scheme, masked}
    app                 TEXT,                    -- JSON {name, version}
    business_fp         BLOB    NOT NULL,
    payload_fp          BLOB    NOT NULL,
    flags               TEXT                     -- what the check disliked; mac covers it
);

-- The unsent, in order of acceptance; also what the uploader walks.
CREATE INDEX tx_unsent ON tx (seq) WHERE state < 4;
-- Order inside a lane; payments that nothing waits for are not in it.
CREATE INDEX tx_lane ON tx (lane, seq) WHERE lane IS NOT NULL AND state < 4;

-- What the payment app sends itself and has not settled.
CREATE INDEX tx_app ON tx (seq) WHERE state < 4 AND delivery = 'app';

-- The bytes. id = seq * 256 + version, so that the versions of one payload lie side by side.
CREATE TABLE payload (
    id           INTEGER PRIMARY KEY,
    seal         INTEGER NOT NULL,               -- 0: in clear, 1…: sealed with the key `key_id`
    key_id       INTEGER NOT NULL,
    content_type TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    query_body   BLOB,
    reversals    BLOB                            -- JSON {reason: base64}
);

-- One row per step; repeats of the same trouble only raise `count` and `last_ms`.
CREATE TABLE history (
    seq      INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    event    TEXT    NOT NULL,
    state    INTEGER NOT NULL,
    in_doubt INTEGER NOT NULL,
    cause    TEXT    NOT NULL,
    note     TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    count    INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms  INTEGER NOT NULL,
    mac      BLOB    NOT NULL,
    PRIMARY KEY (seq, n)
) WITHOUT ROWID;

-- What the payment app reported of a payment it sends itself, each report once, as it came.
CREATE TABLE stage (
    seq       INTEGER NOT NULL,
    n         INTEGER NOT NULL,                  -- the app's own number within the payment
    stage     TEXT    NOT NULL,
    at_ms     INTEGER NOT NULL,                  -- on the app's clock
    stored_ms INTEGER NOT NULL,
    effect    TEXT    NOT NULL,                  -- moved, noted, late, contradicts
    outcome   TEXT,
    result    TEXT,                              -- JSON of HostResult
    batch     TEXT,
    mac       BLOB    NOT NULL,
    PRIMARY KEY (seq, n)
) WITHOUT ROWID;

-- What it reported of its terminals: batches, and whether they are signed on.
CREATE TABLE batch (
    terminal_id TEXT NOT NULL,
    batch       TEXT NOT NULL,
    opened_ms   INTEGER,
    closed_ms   INTEGER,
    agreed      INTEGER,                         -- the host's totals were the same; NULL: not said
    count       INTEGER,
    amounts     TEXT,                            -- JSON {currency: minor units}
    mac         BLOB NOT NULL,
    PRIMARY KEY (terminal_id, batch)
) WITHOUT ROWID;
CREATE TABLE sign_on (
    terminal_id TEXT    PRIMARY KEY,
    signed_on   INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    mac         BLOB    NOT NULL
) WITHOUT ROWID;

-- Keys of pruned payments: they outlive the rows, so that a key is never posted twice.
CREATE TABLE tombstone (
    key         TEXT PRIMARY KEY,
    state       INTEGER NOT NULL,
    final_ms    INTEGER NOT NULL,
    business_fp BLOB    NOT NULL,
    payload_fp  BLOB    NOT NULL
) WITHOUT ROWID;

-- Whole journals put aside because they were damaged. They count as unsent money.
CREATE TABLE quarantine (
    id      INTEGER PRIMARY KEY,
    path    TEXT    NOT NULL,
    at_ms   INTEGER NOT NULL,
    reason  TEXT    NOT NULL,
    records INTEGER,                             -- unsent records in it; NULL: not known
    amounts TEXT                                 -- JSON {currency: minor units}; NULL: not known
);

-- Single rows that could not be believed (row MAC), kept as they were found.
CREATE TABLE quarantined_row (
    id     INTEGER PRIMARY KEY,
    seq    INTEGER NOT NULL,
    key    TEXT    NOT NULL,
    at_ms  INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    row    BLOB    NOT NULL                      -- JSON of the columns as read
);
