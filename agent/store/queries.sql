-- name: insert_tx
-- In the order of the columns, which is also the order the row MAC is made in.
INSERT INTO tx (
    seq, key, state, in_doubt, version, sent, tried, not_found, payload_version,
    next_wall_ms, next_boot_ms, boot_no, changed_ms,
    first_sent_ms, first_sent_boot_ms, first_sent_boot_no,
    last_sent_ms, last_sent_boot_ms, last_sent_boot_no, cause, note, result, mac,
    stored_ms, stored_boot_ms, stored_boot_no, lane, uplink, amount_minor, currency,
    posted_amount_minor, terminal_id, merchant_id, kind, posting, delivery, customer_saw,
    occurred_ms, send_before_ms, first_attempt_ms, attempts, stan, batch, rrn, refers_to,
    covers, reversal_key, card, app, business_fp, payload_fp
) VALUES (
    ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,
    ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?
)

-- name: update_tx
-- Compare-and-set: nothing happens unless the row is still the one that was read. Its MAC stands for
-- all its columns; one that was altered under it does not fit the new MAC and is put aside when it
-- is read again.
UPDATE tx SET
    state = ?, in_doubt = ?, version = ?, sent = ?, tried = ?, not_found = ?, payload_version = ?,
    next_wall_ms = ?, next_boot_ms = ?, boot_no = ?, changed_ms = ?,
    first_sent_ms = ?, first_sent_boot_ms = ?, first_sent_boot_no = ?,
    last_sent_ms = ?, last_sent_boot_ms = ?, last_sent_boot_no = ?,
    cause = ?, note = ?, result = ?, mac = ?
WHERE seq = ? AND version = ? AND mac = ?

-- name: insert_payload
INSERT INTO payload (id, seal, key_id, content_type, body, query_body, reversals)
VALUES (?, 0, 0, ?, ?, ?, ?)

-- name: payload
SELECT content_type, body, seal, query_body, reversals,
    (SELECT payload_fp FROM tx WHERE seq = ?) AS payload_fp
FROM payload WHERE id = ?

-- name: small_payload
SELECT content_type, body, seal, query_body, reversals,
    (SELECT payload_fp FROM tx WHERE seq = ?) AS payload_fp
FROM payload WHERE id = ? AND seal = 0 AND length(body) <= ?

-- name: by_key
SELECT * FROM tx WHERE key = ?

-- name: by_seq
SELECT * FROM tx WHERE seq = ?

-- name: tombstone
SELECT business_fp, payload_fp, state, final_ms FROM tombstone WHERE key = ?

-- name: uplinks
-- Every uplink that has unsent records, by jumping from one to the next in the index.
WITH RECURSIVE found (name) AS (
    SELECT (SELECT uplink FROM tx INDEXED BY tx_unsent WHERE state < 4 ORDER BY uplink LIMIT 1)
    UNION ALL
    SELECT (
        SELECT uplink FROM tx INDEXED BY tx_unsent WHERE state < 4 AND uplink > found.name
        ORDER BY uplink LIMIT 1
    ) FROM found WHERE found.name IS NOT NULL
)
SELECT name FROM found WHERE name IS NOT NULL

-- name: unsent
SELECT * FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND uplink = ? AND seq > ? ORDER BY seq LIMIT ?

-- name: unsent_beyond
-- The n-th unsent record of an uplink from here: bounds how much one read may walk over.
SELECT seq FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND uplink = ? AND seq > ? ORDER BY seq LIMIT 1 OFFSET ?

-- name: sending
SELECT * FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND state = 1 AND uplink = ? ORDER BY seq LIMIT ?

-- name: suspects
SELECT * FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND state <> 3 AND uplink = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?

-- name: due
-- What one uplink may have to act on now. Back-off of another boot is over; what is held is only
-- asked about; what is being sent is in somebody's hands already; lanes whose heads are looked up
-- one by one (their prefix is the last but one value) are left out.
SELECT * FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND uplink = ? AND seq > ? AND seq <= ?
AND state <> 1 AND (state <> 3 OR in_doubt) AND delivery = 'agent'
AND (next_boot_ms <= ? OR boot_no <> ?) AND (lane IS NULL OR substr(lane, 1, 2) <> ?)
ORDER BY seq LIMIT ?

-- name: next_due
-- When the earliest back-off among the same records ends.
SELECT min(next_boot_ms) FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND uplink = ? AND seq > ? AND seq <= ?
AND state <> 1 AND (state <> 3 OR in_doubt) AND delivery = 'agent'
AND next_boot_ms > ? AND boot_no = ?

-- name: next_lane
-- The head of the next lane between two names: one step, however long the lane is.
SELECT * FROM tx INDEXED BY tx_lane
WHERE lane IS NOT NULL AND state < 4 AND delivery = 'agent' AND lane > ? AND lane < ?
ORDER BY lane, seq LIMIT 1

-- name: requests
-- Requests with a time limit that nobody has sent yet.
SELECT * FROM tx INDEXED BY tx_limit
WHERE state < 4 AND send_before_ms IS NOT NULL AND seq > ? AND posting = 'request'
ORDER BY seq LIMIT ?

-- name: page_all
-- A bit for every state wanted; the upper bound keeps a filter that fits nothing from walking on.
SELECT * FROM tx WHERE seq > ? AND seq <= ? AND (? >> state) & 1 ORDER BY seq LIMIT ?

-- name: seq_after
SELECT min(seq) FROM tx WHERE seq > ?

-- name: lane_head
-- Whether anything unsent of the same lane was accepted earlier.
SELECT 1 FROM tx INDEXED BY tx_lane
WHERE lane = ? AND state < 4 AND delivery = 'agent' AND seq < ? LIMIT 1

-- name: lane_root_unsent
-- A payment without a lane of its own heads the lane that bears its key.
SELECT 1 FROM tx WHERE key = ? AND state < 4 AND delivery = 'agent' AND seq < ? LIMIT 1

-- name: oldest_unsent
SELECT seq, stored_ms FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND uplink = ? ORDER BY seq LIMIT 1

-- name: history
SELECT event, state, in_doubt, cause, note, count, first_ms, last_ms FROM history
WHERE seq = ? ORDER BY n DESC LIMIT ?

-- name: history_tail
-- One round of asking about a payment is four steps; two of them must not hide the other two.
SELECT n, event, cause, note, actor FROM history WHERE seq = ? ORDER BY n DESC LIMIT 4

-- name: history_again
UPDATE history SET count = count + 1, last_ms = ?, state = ?, in_doubt = ? WHERE seq = ? AND n = ?

-- name: history_add
INSERT INTO history (seq, n, event, state, in_doubt, cause, note, actor, count, first_ms, last_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)

-- name: tally
SELECT state, in_doubt, currency, cause, count(*), coalesce(sum(amount_minor), 0)
FROM tx INDEXED BY tx_unsent WHERE state < 4 GROUP BY state, in_doubt, currency, cause

-- name: last_seq
-- Also of records that were put aside: a number is never used again.
SELECT max(
    coalesce((SELECT max(seq) FROM tx), 0),
    coalesce((SELECT max(seq) FROM quarantined_row), 0),
    coalesce((SELECT max(id) FROM payload), 0) / 256
)

-- name: last_changed
SELECT max(changed_ms) FROM (SELECT changed_ms FROM tx ORDER BY seq DESC LIMIT 100)

-- name: get_meta
SELECT value FROM meta WHERE name = ?

-- name: set_meta
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: boot
SELECT no FROM boot WHERE boot_id = ?

-- name: add_boot
INSERT INTO boot (boot_id, first_ms) VALUES (?, ?)

-- name: add_quarantine
INSERT INTO quarantine (path, at_ms, reason, records, amounts) VALUES (?, ?, ?, ?, ?)

-- name: quarantine
SELECT id, path, at_ms, reason, records, amounts FROM quarantine ORDER BY id

-- name: count_quarantine
UPDATE quarantine SET records = ?, amounts = ? WHERE id = ?

-- name: add_quarantined_row
INSERT INTO quarantined_row (seq, key, at_ms, reason, row) VALUES (?, ?, ?, ?, ?)

-- name: quarantined_rows
SELECT DISTINCT key FROM quarantined_row

-- name: delete_tx
DELETE FROM tx WHERE seq = ?
