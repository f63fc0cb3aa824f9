-- From the schema of the first release to checks, prepared messages and reports of payment apps.
--
-- New journals go this way too, from empty tables. Rows of tx and history are carried over by
-- agent/store/migrate.py in the same transaction, because their MACs are made again.

DROP INDEX tx_unsent;
DROP INDEX tx_lane;
DROP INDEX tx_limit;
ALTER TABLE tx RENAME TO tx_before;

CREATE TABLE tx (
    seq                 INTEGER PRIMARY KEY,     -- order of acceptance; never reused
    key                 TEXT    NOT NULL UNIQUE,
    -- what can change; mac covers every column
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
    flags               TEXT,                    -- what the check disliked
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
    payload_fp          BLOB    NOT NULL
);

-- The unsent of each uplink, in order of acceptance: what the uploader walks. A host that has been
-- dead for a week must not make the walk for another host any longer.
CREATE INDEX tx_unsent ON tx (uplink, seq) WHERE state < 4;
-- Order inside a lane; payments that nothing waits for are not in it.
CREATE INDEX tx_lane ON tx (lane, seq) WHERE lane IS NOT NULL AND state < 4 AND delivery = 'agent';
-- The same for a terminal's order, where what is held lets the others pass.
CREATE INDEX tx_till ON tx (lane, seq)
WHERE lane >= 't:' AND lane < 'u' AND state < 3 AND delivery = 'agent';
-- Reversals, which go first in their lanes.
CREATE INDEX tx_reversal ON tx (lane, seq) WHERE kind = 'reversal' AND state < 4;
-- What has a time limit of its own: requests, and batch uploads that wait for what they cover.
CREATE INDEX tx_limit ON tx (seq)
WHERE state < 4 AND (send_before_ms IS NOT NULL OR covers IS NOT NULL);
-- What the payment app sends itself and has not settled.
CREATE INDEX tx_app ON tx (seq) WHERE state < 4 AND delivery = 'app';

ALTER TABLE payload RENAME TO payload_before;

-- The bytes. id = seq * 256 + version, so that the versions of one payload lie side by side.
CREATE TABLE payload (
    id           INTEGER PRIMARY KEY,
    seal         INTEGER NOT NULL,               -- 0: in clear, 1: sealed, 2: destroyed
    key_id       INTEGER NOT NULL,               -- which key of the ring `wrapped` is under
    content_type TEXT    NOT NULL,
    -- The row's own key, wrapped. In front of the bytes, so that it lies on the row's own page.
    wrapped      BLOB,
    body         BLOB    NOT NULL,               -- sealed: everything below is in it too
    query_body   BLOB,
    reversals    BLOB,                           -- JSON {reason: base64}
    fp           BLOB                            -- of a later version; that of the first is in tx
);
INSERT INTO payload (id, seal, key_id, content_type, body, query_body, reversals)
SELECT id, seal, key_id, content_type, body, query_body, reversals FROM payload_before;
DROP TABLE payload_before;

ALTER TABLE history RENAME TO history_before;

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

-- Keys of pruned payments, with a MAC.
DROP TABLE tombstone;                            -- nothing was ever pruned before
CREATE TABLE tombstone (
    key         TEXT PRIMARY KEY,
    state       INTEGER NOT NULL,
    final_ms    INTEGER NOT NULL,
    business_fp BLOB    NOT NULL,
    payload_fp  BLOB    NOT NULL,
    mac         BLOB    NOT NULL
) WITHOUT ROWID;
