-- +goose Up
-- Conventions: ids are UUIDv7 (16 bytes), times are Unix milliseconds UTC,
-- money is minor units. Every domain table carries merchant_id. Columns named
-- *_sealed hold ciphertext of the vault, *_index a blind index (PRF).

CREATE TABLE merchants (
    id         BLOB NOT NULL PRIMARY KEY,
    slug       TEXT NOT NULL UNIQUE,
    host       TEXT NOT NULL DEFAULT '',
    is_default INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    name       TEXT NOT NULL,
    name_en    TEXT NOT NULL DEFAULT '',
    tagline    TEXT NOT NULL DEFAULT '',
    tagline_en TEXT NOT NULL DEFAULT '',
    notice     TEXT NOT NULL DEFAULT '',
    notice_en  TEXT NOT NULL DEFAULT '',
    currency   TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('open', 'closed')),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX merchants_host ON merchants (host) WHERE host <> '';
CREATE UNIQUE INDEX merchants_default ON merchants (is_default) WHERE is_default = 1;

CREATE TABLE categories (
    id          BLOB NOT NULL PRIMARY KEY,
    merchant_id BLOB NOT NULL REFERENCES merchants (id),
    slug        TEXT NOT NULL,
    title       TEXT NOT NULL,
    title_en    TEXT NOT NULL DEFAULT '',
    position    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    UNIQUE (merchant_id, slug)
) STRICT, WITHOUT ROWID;

CREATE TABLE products (
    id                BLOB NOT NULL PRIMARY KEY,
    merchant_id       BLOB NOT NULL REFERENCES merchants (id),
    category_id       BLOB REFERENCES categories (id),
    slug              TEXT NOT NULL,
    kind              TEXT NOT NULL CHECK (kind IN ('card', 'text', 'manual')),
    title             TEXT NOT NULL,
    title_en          TEXT NOT NULL DEFAULT '',
    summary           TEXT NOT NULL DEFAULT '',
    summary_en        TEXT NOT NULL DEFAULT '',
    description       TEXT NOT NULL DEFAULT '',
    description_en    TEXT NOT NULL DEFAULT '',
    image             TEXT NOT NULL DEFAULT '',
    status            TEXT NOT NULL CHECK (status IN ('on', 'off')),
    position          INTEGER NOT NULL DEFAULT 0,
    per_order_limit   INTEGER NOT NULL DEFAULT 0 CHECK (per_order_limit >= 0),
    per_contact_limit INTEGER NOT NULL DEFAULT 0 CHECK (per_contact_limit >= 0),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    UNIQUE (merchant_id, slug)
) STRICT, WITHOUT ROWID;
CREATE INDEX products_shelf ON products (merchant_id, status, position, id);
CREATE INDEX products_category ON products (category_id, status, position, id);

CREATE TABLE skus (
    id          BLOB NOT NULL PRIMARY KEY,
    merchant_id BLOB NOT NULL REFERENCES merchants (id),
    product_id  BLOB NOT NULL REFERENCES products (id),
    code        TEXT NOT NULL,
    title       TEXT NOT NULL DEFAULT '',
    title_en    TEXT NOT NULL DEFAULT '',
    price       INTEGER NOT NULL CHECK (price >= 0),
    currency    TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('on', 'off')),
    position    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (merchant_id, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX skus_product ON skus (product_id, position, id);

-- Kept counters: no page and no order ever counts cards.
CREATE TABLE stock (
    sku_id      BLOB NOT NULL PRIMARY KEY REFERENCES skus (id),
    merchant_id BLOB NOT NULL REFERENCES merchants (id),
    mode        TEXT NOT NULL CHECK (mode IN ('cards', 'counted', 'unlimited')),
    available   INTEGER NOT NULL DEFAULT 0 CHECK (available >= 0),
    held        INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    sold        INTEGER NOT NULL DEFAULT 0 CHECK (sold >= 0),
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cards (
    id             BLOB NOT NULL PRIMARY KEY,
    merchant_id    BLOB NOT NULL REFERENCES merchants (id),
    sku_id         BLOB NOT NULL REFERENCES skus (id),
    batch_id       BLOB NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('available', 'held', 'sold', 'disabled')),
    order_id       BLOB,
    content_sealed BLOB NOT NULL,
    content_index  BLOB NOT NULL,
    created_at     INTEGER NOT NULL,
    CHECK ((order_id IS NOT NULL) = (status IN ('held', 'sold'))),
    UNIQUE (merchant_id, content_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX cards_available ON cards (sku_id, id) WHERE status = 'available';
CREATE INDEX cards_order ON cards (order_id) WHERE order_id IS NOT NULL;

-- One text for all buyers; a delivery points at the version that was sold.
CREATE TABLE shared_contents (
    id             BLOB NOT NULL PRIMARY KEY,
    merchant_id    BLOB NOT NULL REFERENCES merchants (id),
    sku_id         BLOB NOT NULL REFERENCES skus (id),
    content_sealed BLOB NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX shared_contents_sku ON shared_contents (sku_id, id);

CREATE TABLE orders (
    id             BLOB NOT NULL PRIMARY KEY,
    merchant_id    BLOB NOT NULL REFERENCES merchants (id),
    order_no       TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN
        ('pending', 'paid', 'delivered', 'completed', 'closed', 'refunding', 'refunded', 'held')),
    currency       TEXT NOT NULL,
    total          INTEGER NOT NULL CHECK (total >= 0),
    contact_kind   TEXT NOT NULL CHECK (contact_kind IN ('email', 'phone')),
    contact_sealed BLOB NOT NULL,
    contact_index  BLOB NOT NULL,
    lang           TEXT NOT NULL,
    hold_reason    TEXT NOT NULL DEFAULT '',
    expires_at     INTEGER NOT NULL,
    due_at         INTEGER,
    created_at     INTEGER NOT NULL,
    paid_at        INTEGER,
    delivered_at   INTEGER,
    closed_at      INTEGER,
    CHECK ((hold_reason <> '') = (status = 'held'))
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_merchant ON orders (merchant_id, id);
CREATE INDEX orders_expiry ON orders (due_at) WHERE status = 'pending';
CREATE INDEX orders_completion ON orders (due_at) WHERE status = 'delivered';
CREATE INDEX orders_desk ON orders (merchant_id, status, id) WHERE status IN ('held', 'paid', 'refunding');
CREATE INDEX orders_unpaid ON orders (merchant_id, contact_index) WHERE status = 'pending';

-- Unique for ever and never partitioned, so that orders may be archived by month.
CREATE TABLE order_numbers (
    order_no    TEXT NOT NULL PRIMARY KEY,
    merchant_id BLOB NOT NULL,
    order_id    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- stock_mode says how the items were reserved, limited whether they count
-- towards their contact's limit: what holds when an order is placed decides
-- what it gives back, whatever staff changed meanwhile.
CREATE TABLE order_lines (
    order_id    BLOB NOT NULL,
    line_no     INTEGER NOT NULL,
    merchant_id BLOB NOT NULL,
    product_id  BLOB NOT NULL,
    sku_id      BLOB NOT NULL,
    kind        TEXT NOT NULL,
    title       TEXT NOT NULL,
    quantity    INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    unit_price  INTEGER NOT NULL CHECK (unit_price >= 0),
    amount      INTEGER NOT NULL CHECK (amount = unit_price * quantity),
    stock_mode  TEXT NOT NULL CHECK (stock_mode IN ('cards', 'counted', 'unlimited')),
    limited     INTEGER NOT NULL CHECK (limited IN (0, 1)),
    PRIMARY KEY (order_id, line_no)
) STRICT, WITHOUT ROWID;

-- Written only for products with a limit per contact.
CREATE TABLE purchase_counts (
    merchant_id   BLOB NOT NULL,
    product_id    BLOB NOT NULL,
    contact_index BLOB NOT NULL,
    quantity      INTEGER NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (merchant_id, product_id, contact_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    merchant_id BLOB NOT NULL,
    scope       TEXT NOT NULL,
    key         TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    subject_id  BLOB NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

CREATE TABLE payment_accounts (
    id            BLOB NOT NULL PRIMARY KEY,
    merchant_id   BLOB NOT NULL REFERENCES merchants (id),
    provider      TEXT NOT NULL,
    method        TEXT NOT NULL,
    external_ref  TEXT NOT NULL,
    app_ref       TEXT NOT NULL DEFAULT '',
    sandbox       INTEGER NOT NULL DEFAULT 0 CHECK (sandbox IN (0, 1)),
    name          TEXT NOT NULL,
    name_en       TEXT NOT NULL DEFAULT '',
    config_sealed BLOB NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('on', 'off')),
    position      INTEGER NOT NULL DEFAULT 0,
    version       INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (merchant_id, provider, external_ref, method)
) STRICT, WITHOUT ROWID;

CREATE TABLE payments (
    id              BLOB NOT NULL PRIMARY KEY,
    merchant_id     BLOB NOT NULL REFERENCES merchants (id),
    order_id        BLOB NOT NULL,
    account_id      BLOB NOT NULL REFERENCES payment_accounts (id),
    payment_no      TEXT NOT NULL UNIQUE,
    provider        TEXT NOT NULL,
    method          TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('creating', 'open', 'paid', 'closed', 'held')),
    amount          INTEGER NOT NULL CHECK (amount >= 0),
    currency        TEXT NOT NULL,
    received        INTEGER NOT NULL DEFAULT 0,
    refunded        INTEGER NOT NULL DEFAULT 0,
    code_url        TEXT NOT NULL DEFAULT '',
    transaction_id  TEXT NOT NULL DEFAULT '',
    settled_by      TEXT NOT NULL DEFAULT '',
    next_query_at   INTEGER,
    last_query_at   INTEGER,
    queries         INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    paid_at         INTEGER,
    closed_at       INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX payments_order ON payments (order_id);
CREATE INDEX payments_due ON payments (next_query_at) WHERE next_query_at IS NOT NULL;

-- The platform's transaction counts once, for ever.
CREATE TABLE payment_transactions (
    provider       TEXT NOT NULL,
    account_id     BLOB NOT NULL,
    transaction_id TEXT NOT NULL,
    merchant_id    BLOB NOT NULL,
    payment_id     BLOB NOT NULL,
    amount         INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (provider, account_id, transaction_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE refunds (
    id          BLOB NOT NULL PRIMARY KEY,
    merchant_id BLOB NOT NULL REFERENCES merchants (id),
    order_id    BLOB NOT NULL,
    payment_id  BLOB NOT NULL REFERENCES payments (id),
    refund_no   TEXT NOT NULL UNIQUE,
    amount      INTEGER NOT NULL CHECK (amount > 0),
    currency    TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('requested', 'processing', 'succeeded', 'failed')),
    reason      TEXT NOT NULL,
    source      TEXT NOT NULL CHECK (source IN ('sales', 'suspense')),
    refund_id   TEXT NOT NULL DEFAULT '',
    next_try_at INTEGER,
    tries       INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    done_at     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refunds_order ON refunds (order_id);
CREATE INDEX refunds_due ON refunds (next_try_at) WHERE next_try_at IS NOT NULL;

-- What a person must decide: money that does not fit.
CREATE TABLE holds (
    id          BLOB NOT NULL PRIMARY KEY,
    merchant_id BLOB NOT NULL,
    order_id    BLOB,
    payment_id  BLOB,
    refund_id   BLOB,
    reason      TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    currency    TEXT NOT NULL,
    detail      TEXT NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    resolved_at INTEGER,
    resolution  TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_open ON holds (merchant_id, id) WHERE resolved_at IS NULL;
CREATE INDEX holds_order ON holds (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE deliveries (
    order_id       BLOB NOT NULL,
    line_no        INTEGER NOT NULL,
    item_no        INTEGER NOT NULL,
    merchant_id    BLOB NOT NULL,
    sku_id         BLOB NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('card', 'text', 'manual')),
    card_id        BLOB UNIQUE,
    content_id     BLOB,
    content_sealed BLOB,
    status         TEXT NOT NULL CHECK (status IN ('waiting', 'delivered')),
    created_at     INTEGER NOT NULL,
    delivered_at   INTEGER,
    PRIMARY KEY (order_id, line_no, item_no),
    CHECK (status = 'waiting' OR
        (card_id IS NOT NULL) + (content_id IS NOT NULL) + (content_sealed IS NOT NULL) = 1)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_waiting ON deliveries (merchant_id, created_at) WHERE status = 'waiting';

CREATE TABLE ledger_entries (
    id          BLOB NOT NULL PRIMARY KEY,
    merchant_id BLOB NOT NULL,
    kind        TEXT NOT NULL,
    subject_id  BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (subject_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_postings (
    entry_id    BLOB NOT NULL,
    leg         INTEGER NOT NULL,
    merchant_id BLOB NOT NULL,
    account     TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    currency    TEXT NOT NULL,
    PRIMARY KEY (entry_id, leg)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_records (
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
CREATE INDEX audit_records_subject ON audit_records (subject_id, id);

CREATE TABLE jobs (
    id          BLOB NOT NULL PRIMARY KEY,
    merchant_id BLOB NOT NULL,
    kind        TEXT NOT NULL,
    subject_id  BLOB NOT NULL,
    run_at      INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    dead        INTEGER NOT NULL DEFAULT 0 CHECK (dead IN (0, 1)),
    last_error  TEXT NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    UNIQUE (kind, subject_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_due ON jobs (run_at) WHERE dead = 0;

CREATE TABLE leases (
    name     TEXT NOT NULL PRIMARY KEY,
    holder   TEXT NOT NULL,
    fence    INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
