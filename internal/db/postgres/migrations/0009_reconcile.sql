-- +goose Up

-- Which day of the platform a transaction belongs to. Older rows have none:
-- they go by when we noted them.
ALTER TABLE payment_transactions ADD COLUMN paid_at BIGINT;

CREATE INDEX refunds_done ON refunds (merchant_id, done_at) WHERE done_at IS NOT NULL;

-- A day of an account at a platform; day is its date there, such as 2026-05-03.
CREATE TABLE reconcile_days (
    id            BYTEA NOT NULL PRIMARY KEY,
    merchant_id   BYTEA NOT NULL REFERENCES merchants (id),
    account_id    BYTEA NOT NULL REFERENCES payment_accounts (id),
    day           TEXT COLLATE "C" NOT NULL,
    currency      TEXT COLLATE "C" NOT NULL,
    state         TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'differs', 'closed')),
    run           BIGINT NOT NULL DEFAULT 0,
    digest        TEXT COLLATE "C" NOT NULL DEFAULT '',
    stored        BIGINT NOT NULL DEFAULT 0,
    bill_count    BIGINT NOT NULL DEFAULT 0,
    bill_paid     BIGINT NOT NULL DEFAULT 0,
    bill_refunded BIGINT NOT NULL DEFAULT 0,
    bill_fees     BIGINT NOT NULL DEFAULT 0,
    our_count     BIGINT NOT NULL DEFAULT 0,
    our_paid      BIGINT NOT NULL DEFAULT 0,
    our_refunded  BIGINT NOT NULL DEFAULT 0,
    ledger_net    BIGINT NOT NULL DEFAULT 0,
    problem       TEXT COLLATE "C" NOT NULL DEFAULT '',
    fetched_at    BIGINT,
    next_try_at   BIGINT,
    closed_at     BIGINT,
    created_at    BIGINT NOT NULL,
    UNIQUE (merchant_id, account_id, day)
);
CREATE INDEX reconcile_days_list ON reconcile_days (merchant_id, id);
CREATE INDEX reconcile_days_due ON reconcile_days (next_try_at) WHERE next_try_at IS NOT NULL;

-- The bill as it was reconciled.
CREATE TABLE reconcile_lines (
    merchant_id    BYTEA NOT NULL,
    day_id         BYTEA NOT NULL,
    kind           TEXT COLLATE "C" NOT NULL CHECK (kind IN ('payment', 'refund')),
    transaction_id TEXT COLLATE "C" NOT NULL,
    refund_no      TEXT COLLATE "C" NOT NULL,
    payment_no     TEXT COLLATE "C" NOT NULL,
    amount         BIGINT NOT NULL,
    fee            BIGINT NOT NULL,
    state          TEXT COLLATE "C" NOT NULL,
    at             BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, day_id, kind, transaction_id, refund_no)
);
CREATE INDEX reconcile_lines_number ON reconcile_lines (merchant_id, kind, transaction_id, refund_no);

CREATE TABLE reconcile_cases (
    id             BYTEA NOT NULL PRIMARY KEY,
    merchant_id    BYTEA NOT NULL,
    day_id         BYTEA NOT NULL REFERENCES reconcile_days (id),
    kind           TEXT COLLATE "C" NOT NULL CHECK (kind IN ('ours_only', 'theirs_only', 'amount', 'state', 'fee', 'ledger')),
    line_kind      TEXT COLLATE "C" NOT NULL CHECK (line_kind IN ('payment', 'refund')),
    transaction_id TEXT COLLATE "C" NOT NULL,
    number         TEXT COLLATE "C" NOT NULL,
    bill_amount    BIGINT NOT NULL,
    our_amount     BIGINT NOT NULL,
    currency       TEXT COLLATE "C" NOT NULL,
    remedy         TEXT COLLATE "C" NOT NULL,
    seen_run       BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    resolved_at    BIGINT,
    resolved_by    TEXT COLLATE "C" NOT NULL DEFAULT '',
    reason         TEXT COLLATE "C" NOT NULL DEFAULT '',
    UNIQUE (merchant_id, day_id, kind, line_kind, transaction_id, number)
);
CREATE INDEX reconcile_cases_list ON reconcile_cases (merchant_id, id);
CREATE INDEX reconcile_cases_open ON reconcile_cases (merchant_id, id) WHERE resolved_at IS NULL;
