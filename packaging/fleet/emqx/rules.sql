-- EMQX 5: one rule per statement (Integration > Rules). Each gives rows that a sink (a database, Kafka, a
-- webhook) takes as they are. Sinks that write rows should do so on conflict (device_id, outbox_id, seq)
-- do nothing: QoS 1 repeats.

-- Alarms as they come and go.
SELECT
  nth(3, tokens(topic, '/')) AS tenant,
  nth(4, tokens(topic, '/')) AS device_id,
  payload.outbox_id AS outbox_id,
  payload.seq AS seq,
  payload.ts AS ts,
  payload.code AS code,
  payload.component AS component,
  payload.severity AS severity,
  payload.active AS active,
  payload.since_ts AS since_ts
FROM "pos/1/+/+/event";

-- The unsent money.
SELECT
  nth(3, tokens(topic, '/')) AS tenant,
  nth(4, tokens(topic, '/')) AS device_id,
  payload.outbox_id AS outbox_id,
  payload.seq AS seq,
  payload.ts AS ts,
  payload.count AS count,
  payload.oldest_age_s AS oldest_age_s,
  payload.held_count AS held_count,
  payload.in_doubt_count AS in_doubt_count,
  payload.cause AS cause,
  payload.amount_minor_cny AS amount_minor_cny
FROM "pos/1/+/+/backlog";

-- Somebody has to look at once: money that is held, in doubt, or older than an hour.
SELECT
  nth(4, tokens(topic, '/')) AS device_id,
  payload.count AS count,
  payload.oldest_age_s AS oldest_age_s,
  payload.cause AS cause
FROM "pos/1/+/+/backlog"
WHERE payload.held_count > 0 OR payload.in_doubt_count > 0 OR payload.oldest_age_s > 3600;

-- Who is there. Keep the row with the highest connects: the Will of an old connection may come late.
SELECT
  nth(3, tokens(topic, '/')) AS tenant,
  nth(4, tokens(topic, '/')) AS device_id,
  payload.state AS state,
  payload.connects AS connects,
  timestamp AS heard_ts
FROM "pos/1/+/+/state";

-- Readings as they came, for a time series store that takes JSON.
SELECT
  nth(3, tokens(topic, '/')) AS tenant,
  nth(4, tokens(topic, '/')) AS device_id,
  payload.ts AS ts,
  payload AS readings
FROM "pos/1/+/+/health";

-- What became of commands.
SELECT
  nth(4, tokens(topic, '/')) AS device_id,
  payload.cmd_id AS cmd_id,
  payload.op AS op,
  payload.status AS status,
  payload.code AS code,
  payload.ts AS ts
FROM "pos/1/+/+/res/+";
