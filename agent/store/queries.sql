-- name: insert_tx
INSERT INTO tx (
    key, state, in_doubt, version, sent, tried, not_found, payload_version,
    next_wall_ms, next_boot_ms, boot_no, changed_ms, cause, note, result, mac,
    stored_ms, stored_boot_ms, stored_boot_no, lane, uplink, amount_minor, currency,
    posted_amount_minor, terminal_id, merchant_id, kind, posting, delivery, customer_saw,
    occurred_ms, send_before_ms, first_attempt_ms, attempts, stan, batch, rrn, refers_to,
    covers, reversal_key, card, app, business_fp, payload_fp, flags, seq
) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)

-- name: update_tx
-- Compare-and-set: nothing happens unless the row is still at the version that was read.
UPDATE tx SET
    state = ?, in_doubt = ?, version = ?, sent = ?, tried = ?, not_found = ?,
    payload_version = ?, next_wall_ms = ?, next_boot_ms = ?, boot_no = ?, changed_ms = ?,
    first_sent_ms = ?, first_sent_boot_ms = ?, first_sent_boot_no = ?,
    last_sent_ms = ?, last_sent_boot_ms = ?, last_sent_boot_no = ?,
    cause = ?, note = ?, result = ?, flags = ?, mac = ?
WHERE seq = ? AND version = ?

-- name: insert_payload
INSERT INTO payload (id, seal, key_id, content_type, body, query_body, reversals)
VALUES (?, 0, 0, ?, ?, ?, ?)

-- name: payload
SELECT content_type, body, query_body, reversals, seal FROM payload WHERE id = ?

-- name: by_key
SELECT * FROM tx WHERE key = ?

-- name: by_seq
SELECT * FROM tx WHERE seq = ?

-- name: tombstone
SELECT business_fp, payload_fp, state, final_ms FROM tombstone WHERE key = ?

-- name: page_unsent
SELECT * FROM tx INDEXED BY tx_unsent WHERE state < 4 AND seq > ? ORDER BY seq LIMIT ?

-- name: due
-- What one uplink may have to act on now. Back-off of another boot is over; what is held is only
-- asked about; what is being sent is in somebody's hands already.
SELECT * FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND seq > ? AND uplink = ? AND state <> 1 AND (state <> 3 OR in_doubt)
AND (next_boot_ms <= ? OR boot_no <> ?) AND delivery = 'agent' ORDER BY seq LIMIT ?

-- name: requests
-- What has a time limit of its own: requests, and batch uploads that wait for what they cover.
SELECT * FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND seq > ? AND ((posting = 'request' AND send_before_ms IS NOT NULL)
OR (kind = 'batch_upload' AND covers IS NOT NULL)) ORDER BY seq LIMIT ?

-- name: next_due
SELECT min(next_boot_ms) FROM tx INDEXED BY tx_unsent
WHERE state < 4 AND uplink = ? AND boot_no = ? AND next_boot_ms > ? AND delivery = 'agent'

-- name: page_all
SELECT * FROM tx WHERE seq > ? ORDER BY seq LIMIT ?

-- name: lane_head
-- Whether anything unsent of the same lane was accepted earlier.
SELECT 1 FROM tx INDEXED BY tx_lane WHERE lane = ? AND state < 4 AND seq < ? LIMIT 1

-- name: lane_root_unsent
-- A payment without a lane of its own heads the lane that bears its key.
SELECT 1 FROM tx WHERE key = ? AND state < 4 AND seq < ? LIMIT 1

-- name: terminal_head
-- The same for a terminal's lane, where what is held or frozen lets others pass, and a batch
-- upload those it waits for.
SELECT 1 FROM tx INDEXED BY tx_lane
WHERE lane = ? AND state < 4 AND state <> 3 AND seq < ? AND delivery = 'agent'
AND cause <> 'reversal.pending' AND (covers IS NULL OR instr(covers, ?) = 0) LIMIT 1

-- name: reversal_ahead
SELECT 1 FROM tx INDEXED BY tx_lane
WHERE lane = ? AND state < 4 AND kind = 'reversal' AND seq < ? LIMIT 1

-- name: reversal_ahead_terminal
SELECT 1 FROM tx INDEXED BY tx_lane
WHERE lane = ? AND state < 4 AND state <> 3 AND kind = 'reversal' AND seq < ? LIMIT 1

-- name: reversal_pending
-- A reversal goes before anything else of its payment, whatever was accepted first.
SELECT 1 FROM tx INDEXED BY tx_lane
WHERE lane = ? AND state < 4 AND kind = 'reversal' AND seq <> ? LIMIT 1

-- name: reversal_pending_terminal
SELECT 1 FROM tx INDEXED BY tx_lane
WHERE lane = ? AND state < 4 AND state <> 3 AND kind = 'reversal' AND seq <> ? LIMIT 1

-- name: reversal_of
SELECT 1 FROM tx INDEXED BY tx_lane
WHERE lane = ? AND state < 4 AND kind = 'reversal' AND refers_to = ? LIMIT 1

-- name: in_flight
SELECT 1 FROM tx WHERE key = ? AND state = 1

-- name: covered_unsent
SELECT 1 FROM tx WHERE key IN (SELECT value FROM json_each(?)) AND state < 4 LIMIT 1

-- name: covered_all_unsent
SELECT key FROM tx WHERE key IN (SELECT value FROM json_each(?)) AND state < 4

-- name: payload_beside
SELECT content_type, body, query_body, reversals, seal FROM payload WHERE id = ?

-- name: oldest_unsent
SELECT stored_ms, stored_boot_ms, stored_boot_no FROM tx INDEXED BY tx_unsent
WHERE state < 4 ORDER BY seq LIMIT 1

-- name: recent
-- The newest payments, for the index of twins in memory (store/recent.py); 4096 is its bound.
SELECT seq, key, state, terminal_id, kind, currency, amount_minor, card, stan, batch, occurred_ms,
stored_ms, stored_boot_ms, stored_boot_no FROM tx ORDER BY seq DESC LIMIT 4096

-- name: history
SELECT * FROM history WHERE seq = ? ORDER BY n DESC LIMIT ?

-- name: history_again
UPDATE history SET count = ?, last_ms = ?, state = ?, in_doubt = ?, mac = ? WHERE seq = ? AND n = ?

-- name: history_add
INSERT INTO history
(seq, n, event, state, in_doubt, cause, note, actor, count, first_ms, last_ms, mac)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: tally
SELECT state, in_doubt, currency, cause, count(*), coalesce(sum(amount_minor), 0)
FROM tx INDEXED BY tx_unsent WHERE state < 4 GROUP BY state, in_doubt, currency, cause

-- name: last_seq
SELECT max(seq) FROM tx

-- name: last_changed
SELECT max(changed_ms) FROM (SELECT changed_ms FROM tx ORDER BY seq DESC LIMIT 100)

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
SELECT seq, key, at_ms, reason, row FROM quarantined_row ORDER BY id

-- name: delete_tx
DELETE FROM tx WHERE seq = ?

-- name: pending_by_app
-- Payments the app sends itself, with no doubt about them yet.
SELECT * FROM tx INDEXED BY tx_app
WHERE state < 4 AND delivery = 'app' AND seq > ? AND NOT in_doubt ORDER BY seq LIMIT ?

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

-- name: add_batch
INSERT OR REPLACE INTO batch (terminal_id, batch, opened_ms, closed_ms, agreed, count, amounts, mac)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: sign_ons
SELECT terminal_id, signed_on, at_ms, mac FROM sign_on LIMIT 100

-- name: add_sign_on
INSERT OR REPLACE INTO sign_on (terminal_id, signed_on, at_ms, mac) VALUES (?, ?, ?, ?)
