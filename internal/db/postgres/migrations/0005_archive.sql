-- +goose Up
-- The archive: what ended long ago, out of the way of what sells today. Ids
-- are UUIDv7, so a range of ids is a range of time: the tables are partitioned
-- by it, one partition a month. The sweep makes a month's partition before it
-- moves anything there; the default one is for rows that come in otherwise.
-- What must be unique for ever stays behind: order_numbers, ledger_entries,
-- payments, refunds and their numbers.

CREATE TABLE archived_orders (
    id             BYTEA NOT NULL PRIMARY KEY,
    merchant_id    BYTEA NOT NULL,
    order_no       TEXT COLLATE "C" NOT NULL,
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN ('completed', 'closed', 'refunded')),
    currency       TEXT COLLATE "C" NOT NULL,
    total          BIGINT NOT NULL CHECK (total >= 0),
    contact_kind   TEXT COLLATE "C" NOT NULL,
    contact_sealed BYTEA NOT NULL,
    contact_index  BYTEA NOT NULL,
    lang           TEXT COLLATE "C" NOT NULL,
    hold_reason    TEXT COLLATE "C" NOT NULL DEFAULT '',
    expires_at     BIGINT NOT NULL,
    due_at         BIGINT,
    created_at     BIGINT NOT NULL,
    paid_at        BIGINT,
    delivered_at   BIGINT,
    closed_at      BIGINT
) PARTITION BY RANGE (id);
CREATE TABLE archived_orders_default PARTITION OF archived_orders DEFAULT;
CREATE INDEX archived_orders_merchant ON archived_orders (merchant_id, id);
CREATE INDEX archived_orders_status ON archived_orders (merchant_id, status, id);

CREATE TABLE archived_order_lines (
    order_id    BYTEA NOT NULL,
    line_no     BIGINT NOT NULL,
    merchant_id BYTEA NOT NULL,
    product_id  BYTEA NOT NULL,
    sku_id      BYTEA NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    title       TEXT COLLATE "C" NOT NULL,
    quantity    BIGINT NOT NULL,
    unit_price  BIGINT NOT NULL,
    amount      BIGINT NOT NULL,
    stock_mode  TEXT COLLATE "C" NOT NULL,
    limited     BIGINT NOT NULL,
    PRIMARY KEY (order_id, line_no)
) PARTITION BY RANGE (order_id);
CREATE TABLE archived_order_lines_default PARTITION OF archived_order_lines DEFAULT;

CREATE TABLE archived_ledger_postings (
    entry_id    BYTEA NOT NULL,
    leg         BIGINT NOT NULL,
    merchant_id BYTEA NOT NULL,
    account     TEXT COLLATE "C" NOT NULL,
    amount      BIGINT NOT NULL,
    currency    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (entry_id, leg)
) PARTITION BY RANGE (entry_id);
CREATE TABLE archived_ledger_postings_default PARTITION OF archived_ledger_postings DEFAULT;

-- What the archive's postings add up to, so that a balance walks none of them.
-- month is yyyymm, UTC, of the entries' ids.
CREATE TABLE ledger_month_sums (
    merchant_id BYTEA NOT NULL,
    account     TEXT COLLATE "C" NOT NULL,
    currency    TEXT COLLATE "C" NOT NULL,
    month       BIGINT NOT NULL,
    amount      BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, account, currency, month)
);

CREATE TABLE archived_audit_records (
    id           BYTEA NOT NULL PRIMARY KEY,
    merchant_id  BYTEA NOT NULL,
    actor_kind   TEXT COLLATE "C" NOT NULL,
    actor_id     TEXT COLLATE "C" NOT NULL DEFAULT '',
    action       TEXT COLLATE "C" NOT NULL,
    subject_kind TEXT COLLATE "C" NOT NULL,
    subject_id   BYTEA,
    detail       TEXT COLLATE "C" NOT NULL DEFAULT '',
    request_id   TEXT COLLATE "C" NOT NULL DEFAULT '',
    at           BIGINT NOT NULL
) PARTITION BY RANGE (id);
CREATE TABLE archived_audit_records_default PARTITION OF archived_audit_records DEFAULT;
CREATE INDEX archived_audit_records_subject ON archived_audit_records (subject_id, id);

-- Live and archived together, for checks and reports.
CREATE VIEW all_orders AS
    SELECT id, merchant_id, order_no, status, currency, total, contact_kind, contact_sealed, contact_index, lang,
        hold_reason, expires_at, due_at, created_at, paid_at, delivered_at, closed_at FROM orders
    UNION ALL
    SELECT id, merchant_id, order_no, status, currency, total, contact_kind, contact_sealed, contact_index, lang,
        hold_reason, expires_at, due_at, created_at, paid_at, delivered_at, closed_at FROM archived_orders;

CREATE VIEW all_order_lines AS
    SELECT order_id, line_no, merchant_id, product_id, sku_id, kind, title, quantity, unit_price, amount, stock_mode,
        limited FROM order_lines
    UNION ALL
    SELECT order_id, line_no, merchant_id, product_id, sku_id, kind, title, quantity, unit_price, amount, stock_mode,
        limited FROM archived_order_lines;

CREATE VIEW all_ledger_postings AS
    SELECT entry_id, leg, merchant_id, account, amount, currency FROM ledger_postings
    UNION ALL
    SELECT entry_id, leg, merchant_id, account, amount, currency FROM archived_ledger_postings;

CREATE VIEW all_audit_records AS
    SELECT id, merchant_id, actor_kind, actor_id, action, subject_kind, subject_id, detail, request_id, at
        FROM audit_records
    UNION ALL
    SELECT id, merchant_id, actor_kind, actor_id, action, subject_kind, subject_id, detail, request_id, at
        FROM archived_audit_records;

-- A platform that tells of the same stray money again is told from a new case.
CREATE INDEX holds_same ON holds (merchant_id, reason, detail);
