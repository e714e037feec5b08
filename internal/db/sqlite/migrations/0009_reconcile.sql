-- +goose Up

-- Which day of the platform a transaction belongs to. Older rows have none:
-- they go by when we noted them.
ALTER TABLE payment_transactions ADD COLUMN paid_at INTEGER;

CREATE INDEX refunds_done ON refunds (merchant_id, done_at) WHERE done_at IS NOT NULL;

-- A day of an account at a platform; day is its date there, such as 2026-05-03.
CREATE TABLE reconcile_days (
    id            BLOB NOT NULL PRIMARY KEY,
    merchant_id   BLOB NOT NULL REFERENCES merchants (id),
    account_id    BLOB NOT NULL REFERENCES payment_accounts (id),
    day           TEXT NOT NULL,
    currency      TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('open', 'differs', 'closed')),
    run           INTEGER NOT NULL DEFAULT 0,
    digest        TEXT NOT NULL DEFAULT '',
    stored        INTEGER NOT NULL DEFAULT 0,
    bill_count    INTEGER NOT NULL DEFAULT 0,
    bill_paid     INTEGER NOT NULL DEFAULT 0,
    bill_refunded INTEGER NOT NULL DEFAULT 0,
    bill_fees     INTEGER NOT NULL DEFAULT 0,
    our_count     INTEGER NOT NULL DEFAULT 0,
    our_paid      INTEGER NOT NULL DEFAULT 0,
    our_refunded  INTEGER NOT NULL DEFAULT 0,
    ledger_net    INTEGER NOT NULL DEFAULT 0,
    problem       TEXT NOT NULL DEFAULT '',
    fetched_at    INTEGER,
    next_try_at   INTEGER,
    closed_at     INTEGER,
    created_at    INTEGER NOT NULL,
    UNIQUE (merchant_id, account_id, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX reconcile_days_list ON reconcile_days (merchant_id, id);
CREATE INDEX reconcile_days_due ON reconcile_days (next_try_at) WHERE next_try_at IS NOT NULL;

-- The bill as it was reconciled.
CREATE TABLE reconcile_lines (
    merchant_id    BLOB NOT NULL,
    day_id         BLOB NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('payment', 'refund')),
    transaction_id TEXT NOT NULL,
    refund_no      TEXT NOT NULL,
    payment_no     TEXT NOT NULL,
    amount         INTEGER NOT NULL,
    fee            INTEGER NOT NULL,
    state          TEXT NOT NULL,
    at             INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, day_id, kind, transaction_id, refund_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX reconcile_lines_number ON reconcile_lines (merchant_id, kind, transaction_id, refund_no);

CREATE TABLE reconcile_cases (
    id             BLOB NOT NULL PRIMARY KEY,
    merchant_id    BLOB NOT NULL,
    day_id         BLOB NOT NULL REFERENCES reconcile_days (id),
    kind           TEXT NOT NULL CHECK (kind IN ('ours_only', 'theirs_only', 'amount', 'state', 'fee', 'ledger')),
    line_kind      TEXT NOT NULL CHECK (line_kind IN ('payment', 'refund')),
    transaction_id TEXT NOT NULL,
    number         TEXT NOT NULL,
    bill_amount    INTEGER NOT NULL,
    our_amount     INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    remedy         TEXT NOT NULL,
    seen_run       INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    resolved_at    INTEGER,
    resolved_by    TEXT NOT NULL DEFAULT '',
    reason         TEXT NOT NULL DEFAULT '',
    UNIQUE (merchant_id, day_id, kind, line_kind, transaction_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX reconcile_cases_list ON reconcile_cases (merchant_id, id);
CREATE INDEX reconcile_cases_open ON reconcile_cases (merchant_id, id) WHERE resolved_at IS NULL;
