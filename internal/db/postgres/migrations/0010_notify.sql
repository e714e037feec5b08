-- +goose Up

-- What somebody must know of. merchant_id is NULL where it is about the whole
-- installation; dedup is merchant, code and subject in one text, so that what
-- goes on is one row.
CREATE TABLE alerts (
    id              BYTEA NOT NULL PRIMARY KEY,
    merchant_id     BYTEA,
    dedup           TEXT COLLATE "C" NOT NULL,
    code            TEXT COLLATE "C" NOT NULL,
    subject         TEXT COLLATE "C" NOT NULL,
    severity        TEXT COLLATE "C" NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    state           TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
    args            TEXT COLLATE "C" NOT NULL,
    count           BIGINT NOT NULL DEFAULT 1 CHECK (count > 0),
    told_count      BIGINT NOT NULL DEFAULT 0,
    opened_at       BIGINT NOT NULL,
    last_at         BIGINT NOT NULL,
    told_at         BIGINT,
    escalated_at    BIGINT,
    next_at         BIGINT,
    acknowledged_at BIGINT,
    acknowledged_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    resolved_at     BIGINT,
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
);
CREATE UNIQUE INDEX alerts_open ON alerts (dedup) WHERE state <> 'resolved';
CREATE INDEX alerts_live ON alerts (id) WHERE state <> 'resolved';
CREATE INDEX alerts_due ON alerts (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX alerts_list ON alerts (merchant_id, id);
CREATE INDEX alerts_old ON alerts (resolved_at) WHERE resolved_at IS NOT NULL;

-- The messages about alerts. One at a time waits to be sent; step is the place
-- in the list of channels that is tried.
CREATE TABLE alert_deliveries (
    id            BYTEA NOT NULL PRIMARY KEY,
    merchant_id   BYTEA,
    alert_id      BYTEA NOT NULL REFERENCES alerts (id),
    event         TEXT COLLATE "C" NOT NULL CHECK (event IN ('opened', 'again', 'reminder', 'escalated', 'resolved')),
    state         TEXT COLLATE "C" NOT NULL CHECK (state IN ('due', 'sent', 'dropped')),
    step          BIGINT NOT NULL DEFAULT 0,
    step_attempts BIGINT NOT NULL DEFAULT 0,
    step_since    BIGINT NOT NULL,
    attempts      BIGINT NOT NULL DEFAULT 0,
    rounds        BIGINT NOT NULL DEFAULT 0,
    next_try_at   BIGINT NOT NULL,
    channel       TEXT COLLATE "C" NOT NULL DEFAULT '',
    last_error    TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at    BIGINT NOT NULL,
    sent_at       BIGINT
);
CREATE UNIQUE INDEX alert_deliveries_waiting ON alert_deliveries (alert_id) WHERE state = 'due';
CREATE INDEX alert_deliveries_due ON alert_deliveries (next_try_at) WHERE state = 'due';
CREATE INDEX alert_deliveries_alert ON alert_deliveries (alert_id, id);

-- Jobs that were given up, which somebody looks for again and again.
CREATE INDEX jobs_dead ON jobs (kind) WHERE dead = 1;
