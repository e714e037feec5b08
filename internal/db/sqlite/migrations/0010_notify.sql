-- +goose Up

-- What somebody must know of. merchant_id is NULL where it is about the whole
-- installation; dedup is merchant, code and subject in one text, so that what
-- goes on is one row.
CREATE TABLE alerts (
    id              BLOB NOT NULL PRIMARY KEY,
    merchant_id     BLOB,
    dedup           TEXT NOT NULL,
    code            TEXT NOT NULL,
    subject         TEXT NOT NULL,
    severity        TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    state           TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
    args            TEXT NOT NULL,
    count           INTEGER NOT NULL DEFAULT 1 CHECK (count > 0),
    told_count      INTEGER NOT NULL DEFAULT 0,
    opened_at       INTEGER NOT NULL,
    last_at         INTEGER NOT NULL,
    told_at         INTEGER,
    escalated_at    INTEGER,
    next_at         INTEGER,
    acknowledged_at INTEGER,
    acknowledged_by TEXT NOT NULL DEFAULT '',
    resolved_at     INTEGER,
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX alerts_open ON alerts (dedup) WHERE state <> 'resolved';
CREATE INDEX alerts_live ON alerts (id) WHERE state <> 'resolved';
CREATE INDEX alerts_due ON alerts (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX alerts_list ON alerts (merchant_id, id);
CREATE INDEX alerts_old ON alerts (resolved_at) WHERE resolved_at IS NOT NULL;

-- The messages about alerts. One at a time waits to be sent; step is the place
-- in the list of channels that is tried.
CREATE TABLE alert_deliveries (
    id            BLOB NOT NULL PRIMARY KEY,
    merchant_id   BLOB,
    alert_id      BLOB NOT NULL REFERENCES alerts (id),
    event         TEXT NOT NULL CHECK (event IN ('opened', 'again', 'reminder', 'escalated', 'resolved')),
    state         TEXT NOT NULL CHECK (state IN ('due', 'sent', 'dropped')),
    step          INTEGER NOT NULL DEFAULT 0,
    step_attempts INTEGER NOT NULL DEFAULT 0,
    step_since    INTEGER NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    rounds        INTEGER NOT NULL DEFAULT 0,
    next_try_at   INTEGER NOT NULL,
    channel       TEXT NOT NULL DEFAULT '',
    last_error    TEXT NOT NULL DEFAULT '',
    created_at    INTEGER NOT NULL,
    sent_at       INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX alert_deliveries_waiting ON alert_deliveries (alert_id) WHERE state = 'due';
CREATE INDEX alert_deliveries_due ON alert_deliveries (next_try_at) WHERE state = 'due';
CREATE INDEX alert_deliveries_alert ON alert_deliveries (alert_id, id);

-- Jobs that were given up, which somebody looks for again and again.
CREATE INDEX jobs_dead ON jobs (kind) WHERE dead = 1;
