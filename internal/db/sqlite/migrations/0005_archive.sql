-- +goose Up
-- The archive: what ended long ago, out of the way of what sells today. Ids
-- are UUIDv7, so a table that is clustered by its id lies in the order of
-- time; on PostgreSQL the same tables are partitioned by ranges of ids, one a
-- month. What must be unique for ever stays behind: order_numbers,
-- ledger_entries, payments, refunds and their numbers.

CREATE TABLE archived_orders (
    id             BLOB NOT NULL PRIMARY KEY,
    merchant_id    BLOB NOT NULL,
    order_no       TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('completed', 'closed', 'refunded')),
    currency       TEXT NOT NULL,
    total          INTEGER NOT NULL CHECK (total >= 0),
    contact_kind   TEXT NOT NULL,
    contact_sealed BLOB NOT NULL,
    contact_index  BLOB NOT NULL,
    lang           TEXT NOT NULL,
    hold_reason    TEXT NOT NULL DEFAULT '',
    expires_at     INTEGER NOT NULL,
    due_at         INTEGER,
    created_at     INTEGER NOT NULL,
    paid_at        INTEGER,
    delivered_at   INTEGER,
    closed_at      INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX archived_orders_merchant ON archived_orders (merchant_id, id);
CREATE INDEX archived_orders_status ON archived_orders (merchant_id, status, id);

CREATE TABLE archived_order_lines (
    order_id    BLOB NOT NULL,
    line_no     INTEGER NOT NULL,
    merchant_id BLOB NOT NULL,
    product_id  BLOB NOT NULL,
    sku_id      BLOB NOT NULL,
    kind        TEXT NOT NULL,
    title       TEXT NOT NULL,
    quantity    INTEGER NOT NULL,
    unit_price  INTEGER NOT NULL,
    amount      INTEGER NOT NULL,
    stock_mode  TEXT NOT NULL,
    limited     INTEGER NOT NULL,
    PRIMARY KEY (order_id, line_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE archived_ledger_postings (
    entry_id    BLOB NOT NULL,
    leg         INTEGER NOT NULL,
    merchant_id BLOB NOT NULL,
    account     TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    currency    TEXT NOT NULL,
    PRIMARY KEY (entry_id, leg)
) STRICT, WITHOUT ROWID;

-- What the archive's postings add up to, so that a balance walks none of them.
-- month is yyyymm, UTC, of the entries' ids.
CREATE TABLE ledger_month_sums (
    merchant_id BLOB NOT NULL,
    account     TEXT NOT NULL,
    currency    TEXT NOT NULL,
    month       INTEGER NOT NULL,
    amount      INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, account, currency, month)
) STRICT, WITHOUT ROWID;

CREATE TABLE archived_audit_records (
    id           BLOB NOT NULL PRIMARY KEY,
    merchant_id  BLOB NOT NULL,
    actor_kind   TEXT NOT NULL,
    actor_id     TEXT NOT NULL DEFAULT '',
    action       TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id   BLOB,
    detail       TEXT NOT NULL DEFAULT '',
    request_id   TEXT NOT NULL DEFAULT '',
    at           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
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
