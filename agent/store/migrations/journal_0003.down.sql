-- Back to checks and prepared messages: an older agent has no signed commands and no trail.
--
-- What it has no table for is put by in the same file under another name, and comes back into its
-- table when a newer agent raises the journal again (agent/store/migrate.py).

DROP INDEX command_open;
DROP INDEX command_age;
ALTER TABLE command RENAME TO later_3_command;
ALTER TABLE command_key RENAME TO later_3_command_key;
ALTER TABLE audit RENAME TO later_3_audit;
ALTER TABLE audit_end RENAME TO later_3_audit_end;
