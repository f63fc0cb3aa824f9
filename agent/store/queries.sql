-- name: insert_tx
-- In the order of the columns, which is also the order the row MAC is made in.
INSERT INTO tx (
    seq, key, state, in_doubt, version, sent, tried, not_found, payload_version,
    next_wall_ms, next_boot_ms, boot_no, changed_ms,
    first_sent_ms, first_sent_boot_ms, first_sent_boot_no,
    last_sent_ms, last_sent_boot_ms, last_sent_boot_no, cause, note, result, flags, mac,
    stored_ms, stored_boot_ms, stored_boot_no, lane, uplink, amount_minor, currency,
    posted_amount_minor, terminal_id, merchant_id, kind, posting, delivery, customer_saw,
    occurred_ms, send_before_ms, first_attempt_ms, attempts, stan, batch, rrn, refers_to,
    covers, reversal_key, card, app, business_fp, payload_fp
) VALUES (
    ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,
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
    cause = ?, note = ?, result = ?, flags = ?, mac = ?
WHERE seq = ? AND version = ? AND mac = ?

-- name: insert_payload
INSERT INTO payload (id, seal, key_id, content_type, wrapped, body, query_body, reversals, fp)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: payload
SELECT content_type, body, seal, key_id, wrapped, query_body, reversals,
    coalesce(fp, (SELECT payload_fp FROM tx WHERE seq = ?)) AS payload_fp
FROM payload WHERE id = ?

-- name: small_payload
SELECT content_type, body, seal, key_id, wrapped, query_body, reversals,
    coalesce(fp, (SELECT payload_fp FROM tx WHERE seq = ?)) AS payload_fp
FROM payload WHERE id = ? AND length(body) <= ?

-- name: payload_seal
SELECT seal, key_id FROM payload WHERE id = ?

-- name: erase_payloads
-- All versions of one payment's payload; the fingerprints stay.
UPDATE payload SET seal = 2, key_id = 0, wrapped = NULL, body = x'', query_body = NULL,
    reversals = NULL
WHERE id > ? AND id < ? AND seal <> 2

-- name: wrapped_keys
SELECT id, seal, key_id, content_type, wrapped FROM payload WHERE id > ? ORDER BY id LIMIT ?

-- name: rewrap
UPDATE payload SET key_id = ?, wrapped = ? WHERE id = ?

-- name: payload_ids
SELECT id FROM payload WHERE id > ? ORDER BY id LIMIT ?

-- name: records_after
SELECT * FROM tx WHERE seq > ? ORDER BY seq LIMIT ?

-- name: history_of
SELECT seq, n, event, state, in_doubt, cause, note, actor, count, first_ms, last_ms, mac
FROM history WHERE seq = ? ORDER BY n

-- name: key_of
SELECT 1 FROM tx INDEXED BY sqlite_autoindex_tx_1 WHERE key = ? AND seq = ?

-- name: unsent_of
SELECT 1 FROM tx INDEXED BY tx_unsent WHERE state < 4 AND uplink = ? AND seq = ?

-- name: known_seq
-- Whether a number belongs to a record that is here or was put aside.
SELECT 1 FROM tx WHERE seq = ? UNION ALL SELECT 1 FROM quarantined_row WHERE seq = ? LIMIT 1

-- name: all_batch
SELECT terminal_id, batch, opened_ms, closed_ms, agreed, count, amounts, mac FROM batch LIMIT 1000

-- name: all_sign_on
SELECT terminal_id, signed_on, at_ms, mac FROM sign_on LIMIT 1000

-- name: by_key
SELECT * FROM tx WHERE key = ?

-- name: by_seq
SELECT * FROM tx WHERE seq = ?

-- name: tombstone
SELECT key, state, final_ms, business_fp, payload_fp, mac FROM tombstone WHERE key = ?

-- name: tombstones_after
SELECT key, state, final_ms, business_fp, payload_fp, mac FROM tombstone
WHERE key > ? ORDER BY key LIMIT ?

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
WHERE state < 4 AND state = 1 AND delivery = 'agent' AND uplink = ? ORDER BY seq LIMIT ?

-- name: suspects
-- What is held without doubt too: that it was released and sent may be what was lost.
SELECT * FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND (state <> 3 OR NOT in_doubt) AND uplink = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?

-- name: due
-- What one uplink may have to act on now. Back-off of another boot is over; what is held is only
-- asked about; what is being sent is in somebody's hands already; lanes whose heads are looked up
-- one by one (their prefix is the last but one value) are left out, but for what is held there.
SELECT * FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND uplink = ? AND seq > ? AND seq <= ?
AND state <> 1 AND (state <> 3 OR in_doubt) AND delivery = 'agent'
AND (next_boot_ms <= ? OR boot_no <> ?)
AND (lane IS NULL OR substr(lane, 1, 2) <> ? OR state = 3)
ORDER BY seq LIMIT ?

-- name: next_due
-- When the earliest back-off among the same records ends.
SELECT min(next_boot_ms) FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND uplink = ? AND seq > ? AND seq <= ?
AND state <> 1 AND (state <> 3 OR in_doubt) AND delivery = 'agent'
AND next_boot_ms > ? AND boot_no = ?

-- name: next_till
-- The next terminal's lane between two names: one step, however long the lane is.
SELECT lane FROM tx INDEXED BY tx_till
WHERE lane >= 't:' AND lane < 'u' AND state < 3 AND delivery = 'agent' AND lane > ? AND lane < ?
ORDER BY lane LIMIT 1

-- name: till_reversal
SELECT * FROM tx INDEXED BY tx_reversal
WHERE kind = 'reversal' AND state < 4 AND state < 3 AND delivery = 'agent' AND lane = ?
ORDER BY seq LIMIT 1

-- name: till_heads
-- What may go first: not what a reversal has frozen.
SELECT * FROM tx INDEXED BY tx_till
WHERE lane >= 't:' AND lane < 'u' AND state < 3 AND delivery = 'agent' AND lane = ?
AND cause <> 'reversal.pending' ORDER BY seq LIMIT ?

-- name: till_ahead
-- Whether anything goes before a record in a terminal's lane. A batch upload lets those pass that
-- it waits for.
SELECT 1 FROM tx INDEXED BY tx_till
WHERE lane >= 't:' AND lane < 'u' AND state < 3 AND delivery = 'agent' AND lane = ? AND seq < ?
AND cause <> 'reversal.pending' AND (covers IS NULL OR instr(covers, ?) = 0) LIMIT 1

-- name: reversal_ahead
SELECT 1 FROM tx INDEXED BY tx_reversal
WHERE kind = 'reversal' AND state < 4 AND lane = ? AND seq < ? LIMIT 1

-- name: reversal_ahead_till
SELECT 1 FROM tx INDEXED BY tx_reversal
WHERE kind = 'reversal' AND state < 4 AND state <> 3 AND lane = ? AND seq < ? LIMIT 1

-- name: reversal_pending
-- A reversal goes before anything else of its payment, whatever was accepted first.
SELECT 1 FROM tx INDEXED BY tx_reversal
WHERE kind = 'reversal' AND state < 4 AND lane = ? AND seq <> ? LIMIT 1

-- name: reversal_pending_till
SELECT 1 FROM tx INDEXED BY tx_reversal
WHERE kind = 'reversal' AND state < 4 AND state <> 3 AND lane = ? AND seq <> ? LIMIT 1

-- name: reversal_of
SELECT 1 FROM tx INDEXED BY tx_reversal
WHERE kind = 'reversal' AND state < 4 AND lane = ? AND refers_to = ? LIMIT 1

-- name: in_flight
SELECT 1 FROM tx WHERE key = ? AND state = 1

-- name: covered_unsent
SELECT 1 FROM tx WHERE key IN (SELECT value FROM json_each(?)) AND state < 4 LIMIT 1

-- name: covered_all_unsent
SELECT key FROM tx WHERE key IN (SELECT value FROM json_each(?)) AND state < 4

-- name: requests
-- What has a time limit of its own: requests, and batch uploads that wait for what they cover.
SELECT * FROM tx INDEXED BY tx_limit
WHERE state < 4 AND (send_before_ms IS NOT NULL OR covers IS NOT NULL) AND seq > ?
AND (posting = 'request' AND send_before_ms IS NOT NULL OR kind = 'batch_upload')
ORDER BY seq LIMIT ?

-- name: pending_by_app
-- Payments the app sends itself, with no doubt about them yet.
SELECT * FROM tx INDEXED BY tx_app
WHERE state < 4 AND delivery = 'app' AND seq > ? AND NOT in_doubt ORDER BY seq LIMIT ?

-- name: page_all
-- A bit for every state wanted; the upper bound keeps a filter that fits nothing from walking on.
SELECT * FROM tx WHERE seq > ? AND seq <= ? AND (? >> state) & 1 ORDER BY seq LIMIT ?

-- name: of_kinds
-- The newest of these kinds between two numbers; the bounds keep it from walking on.
SELECT * FROM tx WHERE seq > ? AND seq <= ? AND kind IN (SELECT value FROM json_each(?))
ORDER BY seq DESC LIMIT ?

-- name: at_or_below
SELECT seq, stored_ms FROM tx WHERE seq <= ? ORDER BY seq DESC LIMIT 1

-- name: backup_tx
SELECT * FROM tx WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?

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
SELECT seq, stored_ms, stored_boot_ms, stored_boot_no FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND uplink = ? ORDER BY seq LIMIT 1

-- name: recent
-- The newest payments, for the index of twins in memory (store/recent.py); 4096 is its bound.
SELECT seq, key, state, terminal_id, kind, currency, amount_minor, card, stan, batch, occurred_ms,
stored_ms, stored_boot_ms, stored_boot_no, in_doubt FROM tx ORDER BY seq DESC LIMIT 4096

-- name: terminals
SELECT DISTINCT terminal_id, merchant_id
FROM (SELECT terminal_id, merchant_id FROM tx ORDER BY seq DESC LIMIT 1000)

-- name: history
-- One round of asking about a payment is four steps; two of them must not hide the other two.
SELECT * FROM history WHERE seq = ? ORDER BY n DESC LIMIT ?

-- name: history_again
UPDATE history SET count = ?, last_ms = ?, state = ?, in_doubt = ?, mac = ? WHERE seq = ? AND n = ?

-- name: history_add
INSERT INTO history
(seq, n, event, state, in_doubt, cause, note, actor, count, first_ms, last_ms, mac)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: history_before
-- What a row said by itself until now. There are lines already where an older build wrote them.
INSERT OR IGNORE INTO history
(seq, n, event, state, in_doubt, cause, note, actor, count, first_ms, last_ms, mac)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: tally
-- A piece at a time: grouping sorts in memory, and a million rows would take 45 MB of it.
SELECT state, in_doubt, currency, cause, count(*), coalesce(sum(amount_minor), 0), max(seq)
FROM (
    SELECT seq, state, in_doubt, currency, cause, amount_minor
    FROM tx INDEXED BY tx_unsent WHERE state < 4 AND uplink = ? AND seq > ? ORDER BY seq LIMIT ?
)
GROUP BY state, in_doubt, currency, cause

-- name: last_seq
-- Also of records that were put aside: a number is never used again.
SELECT max(
    coalesce((SELECT max(seq) FROM tx), 0),
    coalesce((SELECT max(seq) FROM quarantined_row), 0),
    coalesce((SELECT max(id) FROM payload), 0) / 256
)

-- name: last_changed
-- Not what a clock stamped that was proved to be ahead: up to that time, up to that boot; nor what
-- is no time any more.
SELECT max(changed_ms) FROM (SELECT changed_ms, boot_no FROM tx ORDER BY seq DESC LIMIT 100)
WHERE typeof(changed_ms) = 'integer' AND (changed_ms > ? OR boot_no > ?)

-- name: has_meta
SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'

-- name: schema_text
SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema ORDER BY name)

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

-- name: delete_payloads
DELETE FROM payload WHERE id >= ? AND id <= ?

-- name: delete_history
DELETE FROM history WHERE seq = ?

-- name: delete_stages
DELETE FROM stage WHERE seq = ?

-- name: final_from
-- A piece of the walk over what may be forgotten; the newest row is never in it.
SELECT seq, state, changed_ms FROM tx WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?

-- name: lane_unsent
SELECT 1 FROM tx INDEXED BY tx_lane
WHERE lane IS NOT NULL AND state < 4 AND delivery = 'agent' AND lane = ? LIMIT 1

-- name: add_tombstone
INSERT OR REPLACE INTO tombstone (key, state, final_ms, business_fp, payload_fp, mac)
VALUES (?, ?, ?, ?, ?, ?)

-- name: stages
SELECT seq, n, stage, at_ms, stored_ms, effect, outcome, result, batch, mac FROM stage
WHERE seq = ? ORDER BY n

-- name: add_stage
INSERT INTO stage (seq, n, stage, at_ms, stored_ms, effect, outcome, result, batch, mac)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: batch
SELECT terminal_id, batch, opened_ms, closed_ms, agreed, count, amounts, mac FROM batch
WHERE terminal_id = ? AND batch = ?

-- name: open_batches
SELECT terminal_id, batch, opened_ms, closed_ms, agreed, count, amounts, mac FROM batch
WHERE closed_ms IS NULL AND opened_ms IS NOT NULL ORDER BY opened_ms LIMIT 100

-- name: newest_batches
-- A few rows a day at most, and only what was told.
SELECT terminal_id, batch, opened_ms, closed_ms, agreed, count, amounts, mac FROM batch
ORDER BY max(coalesce(opened_ms, 0), coalesce(closed_ms, 0)) DESC, terminal_id, batch LIMIT 30

-- name: add_batch
INSERT OR REPLACE INTO batch (terminal_id, batch, opened_ms, closed_ms, agreed, count, amounts, mac)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: sign_ons
SELECT terminal_id, signed_on, at_ms, mac FROM sign_on LIMIT 100

-- name: add_sign_on
INSERT OR REPLACE INTO sign_on (terminal_id, signed_on, at_ms, mac) VALUES (?, ?, ?, ?)
