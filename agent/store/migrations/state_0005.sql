-- The payment app's last 24 hours: its ends, and the restarts that were asked for.

CREATE TABLE app_mark (
    id      INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,                    -- UTC
    what    TEXT    NOT NULL,                    -- ended, asked, killed
    version TEXT    NOT NULL                     -- of the app; "" unknown
);
