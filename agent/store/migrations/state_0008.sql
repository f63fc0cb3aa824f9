-- What was said with the note beside an alarm: in which words, until when, and who has it now.
ALTER TABLE alarm ADD COLUMN acknowledged_note TEXT NOT NULL DEFAULT '';
ALTER TABLE alarm ADD COLUMN acknowledged_until_ms INTEGER;  -- UTC; NULL: until it ends
ALTER TABLE alarm ADD COLUMN acknowledged_to TEXT NOT NULL DEFAULT '';
