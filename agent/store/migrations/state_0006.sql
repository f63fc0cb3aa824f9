-- Who took note of an alarm, and when; it is forgotten with the alarm.
ALTER TABLE alarm ADD COLUMN acknowledged_by TEXT NOT NULL DEFAULT '';
ALTER TABLE alarm ADD COLUMN acknowledged_ms INTEGER;
