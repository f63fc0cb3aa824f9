-- Settlement lists that were read, and what each of their lines and each payment came to.
CREATE TABLE settlement_list (
    number     INTEGER PRIMARY KEY,
    profile    TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    digest     TEXT    NOT NULL,     -- of the file and of how it was read: the same is not read twice
    state      TEXT    NOT NULL,     -- running, done, refused
    actor      TEXT    NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER,
    body       TEXT    NOT NULL      -- JSON: counts, sums, days, why it was refused
);

CREATE TABLE settled (
    list          INTEGER NOT NULL REFERENCES settlement_list (number),
    n             INTEGER NOT NULL,
    result        TEXT    NOT NULL,
    line          INTEGER NOT NULL,  -- 0: the list has none
    seq           INTEGER NOT NULL,  -- of the payment; 0: unknown here
    key           TEXT    NOT NULL,
    how           TEXT    NOT NULL,
    amount_minor  INTEGER,
    listed_minor  INTEGER,
    fee_minor     INTEGER,
    currency      TEXT    NOT NULL,
    settled_day   INTEGER NOT NULL,  -- ordinal; 0: not told
    due_day       INTEGER NOT NULL,
    occurred_ms   INTEGER NOT NULL,
    rrn           TEXT    NOT NULL,
    stan          TEXT    NOT NULL,
    batch         TEXT    NOT NULL,
    terminal_id   TEXT    NOT NULL,
    detail        TEXT    NOT NULL,
    mark          INTEGER NOT NULL,  -- of a line without a payment
    superseded    INTEGER NOT NULL DEFAULT 0,  -- number of the later list that says otherwise
    PRIMARY KEY (list, n)
) WITHOUT ROWID;
-- What the newest list said of a payment, and of a line nobody here knows.
CREATE INDEX settled_payment ON settled (seq) WHERE seq > 0 AND superseded = 0;
CREATE INDEX settled_line ON settled (mark) WHERE mark > 0 AND superseded = 0;
-- Further lines of a payment: settled twice, or taken off again.
CREATE INDEX settled_more ON settled (key) WHERE mark > 0 AND key <> '' AND superseded = 0;
-- What somebody must look at: a few among many.
CREATE INDEX settled_open ON settled (result) WHERE superseded = 0 AND result <> 'matched';
CREATE INDEX settled_result ON settled (list, result, n) WHERE result <> 'matched';
