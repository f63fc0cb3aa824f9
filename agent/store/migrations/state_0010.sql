-- Payments a list settles as it should, some hundred in a part (core.why.reconcile.parts): one row
-- each would cost the flash ten times as much. `settled` has what somebody must act on.
CREATE TABLE settled_part (
    id        INTEGER PRIMARY KEY,
    list      INTEGER NOT NULL REFERENCES settlement_list (number),
    first_n   INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    body      BLOB    NOT NULL
) STRICT;
CREATE INDEX settled_part_list ON settled_part (list, first_n, count);
CREATE INDEX settled_part_seq ON settled_part (last_seq, first_seq, list);
-- What a list that came to nothing had taken back.
CREATE INDEX settled_superseded ON settled (superseded) WHERE superseded > 0;
-- What it says does not count yet.
CREATE INDEX settlement_list_running ON settlement_list (number) WHERE state = 'running';
