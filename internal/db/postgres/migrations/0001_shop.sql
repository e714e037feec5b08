-- +goose Up
-- Conventions: ids are UUIDv7 (16 bytes), times are Unix milliseconds UTC,
-- money is minor units. Every domain table carries merchant_id. Columns named
-- *_sealed hold ciphertext of the vault, *_index a blind index (PRF).

CREATE TABLE merchants (
    id         BYTEA NOT NULL PRIMARY KEY,
    slug       TEXT COLLATE "C" NOT NULL UNIQUE,
    host       TEXT COLLATE "C" NOT NULL DEFAULT '',
    is_default BIGINT NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    name       TEXT COLLATE "C" NOT NULL,
    name_en    TEXT COLLATE "C" NOT NULL DEFAULT '',
    tagline    TEXT COLLATE "C" NOT NULL DEFAULT '',
    tagline_en TEXT COLLATE "C" NOT NULL DEFAULT '',
    notice     TEXT COLLATE "C" NOT NULL DEFAULT '',
    notice_en  TEXT COLLATE "C" NOT NULL DEFAULT '',
    currency   TEXT COLLATE "C" NOT NULL,
    status     TEXT COLLATE "C" NOT NULL CHECK (status IN ('open', 'closed')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX merchants_host ON merchants (host) WHERE host <> '';
CREATE UNIQUE INDEX merchants_default ON merchants (is_default) WHERE is_default = 1;

CREATE TABLE categories (
    id          BYTEA NOT NULL PRIMARY KEY,
    merchant_id BYTEA NOT NULL REFERENCES merchants (id),
    slug        TEXT COLLATE "C" NOT NULL,
    title       TEXT COLLATE "C" NOT NULL,
    title_en    TEXT COLLATE "C" NOT NULL DEFAULT '',
    position    BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    UNIQUE (merchant_id, slug)
);

CREATE TABLE products (
    id                BYTEA NOT NULL PRIMARY KEY,
    merchant_id       BYTEA NOT NULL REFERENCES merchants (id),
    category_id       BYTEA REFERENCES categories (id),
    slug              TEXT COLLATE "C" NOT NULL,
    kind              TEXT COLLATE "C" NOT NULL CHECK (kind IN ('card', 'text', 'manual')),
    title             TEXT COLLATE "C" NOT NULL,
    title_en          TEXT COLLATE "C" NOT NULL DEFAULT '',
    summary           TEXT COLLATE "C" NOT NULL DEFAULT '',
    summary_en        TEXT COLLATE "C" NOT NULL DEFAULT '',
    description       TEXT COLLATE "C" NOT NULL DEFAULT '',
    description_en    TEXT COLLATE "C" NOT NULL DEFAULT '',
    image             TEXT COLLATE "C" NOT NULL DEFAULT '',
    status            TEXT COLLATE "C" NOT NULL CHECK (status IN ('on', 'off')),
    position          BIGINT NOT NULL DEFAULT 0,
    per_order_limit   BIGINT NOT NULL DEFAULT 0 CHECK (per_order_limit >= 0),
    per_contact_limit BIGINT NOT NULL DEFAULT 0 CHECK (per_contact_limit >= 0),
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    UNIQUE (merchant_id, slug)
);
CREATE INDEX products_shelf ON products (merchant_id, status, position, id);
CREATE INDEX products_category ON products (category_id, status, position, id);

CREATE TABLE skus (
    id          BYTEA NOT NULL PRIMARY KEY,
    merchant_id BYTEA NOT NULL REFERENCES merchants (id),
    product_id  BYTEA NOT NULL REFERENCES products (id),
    code        TEXT COLLATE "C" NOT NULL,
    title       TEXT COLLATE "C" NOT NULL DEFAULT '',
    title_en    TEXT COLLATE "C" NOT NULL DEFAULT '',
    price       BIGINT NOT NULL CHECK (price >= 0),
    currency    TEXT COLLATE "C" NOT NULL,
    status      TEXT COLLATE "C" NOT NULL CHECK (status IN ('on', 'off')),
    position    BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (merchant_id, code)
);
CREATE INDEX skus_product ON skus (product_id, position, id);

-- Kept counters: no page and no order ever counts cards.
CREATE TABLE stock (
    sku_id      BYTEA NOT NULL PRIMARY KEY REFERENCES skus (id),
    merchant_id BYTEA NOT NULL REFERENCES merchants (id),
    mode        TEXT COLLATE "C" NOT NULL CHECK (mode IN ('cards', 'counted', 'unlimited')),
    available   BIGINT NOT NULL DEFAULT 0 CHECK (available >= 0),
    held        BIGINT NOT NULL DEFAULT 0 CHECK (held >= 0),
    sold        BIGINT NOT NULL DEFAULT 0 CHECK (sold >= 0),
    updated_at  BIGINT NOT NULL
);

CREATE TABLE cards (
    id             BYTEA NOT NULL PRIMARY KEY,
    merchant_id    BYTEA NOT NULL REFERENCES merchants (id),
    sku_id         BYTEA NOT NULL REFERENCES skus (id),
    batch_id       BYTEA NOT NULL,
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN ('available', 'held', 'sold', 'disabled')),
    order_id       BYTEA,
    content_sealed BYTEA NOT NULL,
    content_index  BYTEA NOT NULL,
    created_at     BIGINT NOT NULL,
    CHECK ((order_id IS NOT NULL) = (status IN ('held', 'sold'))),
    UNIQUE (merchant_id, content_index)
);
CREATE INDEX cards_available ON cards (sku_id, id) WHERE status = 'available';
CREATE INDEX cards_order ON cards (order_id) WHERE order_id IS NOT NULL;

-- One text for all buyers; a delivery points at the version that was sold.
CREATE TABLE shared_contents (
    id             BYTEA NOT NULL PRIMARY KEY,
    merchant_id    BYTEA NOT NULL REFERENCES merchants (id),
    sku_id         BYTEA NOT NULL REFERENCES skus (id),
    content_sealed BYTEA NOT NULL,
    created_at     BIGINT NOT NULL
);
CREATE INDEX shared_contents_sku ON shared_contents (sku_id, id);

CREATE TABLE orders (
    id             BYTEA NOT NULL PRIMARY KEY,
    merchant_id    BYTEA NOT NULL REFERENCES merchants (id),
    order_no       TEXT COLLATE "C" NOT NULL,
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN
        ('pending', 'paid', 'delivered', 'completed', 'closed', 'refunding', 'refunded', 'held')),
    currency       TEXT COLLATE "C" NOT NULL,
    total          BIGINT NOT NULL CHECK (total >= 0),
    contact_kind   TEXT COLLATE "C" NOT NULL CHECK (contact_kind IN ('email', 'phone')),
    contact_sealed BYTEA NOT NULL,
    contact_index  BYTEA NOT NULL,
    lang           TEXT COLLATE "C" NOT NULL,
    hold_reason    TEXT COLLATE "C" NOT NULL DEFAULT '',
    expires_at     BIGINT NOT NULL,
    due_at         BIGINT,
    created_at     BIGINT NOT NULL,
    paid_at        BIGINT,
    delivered_at   BIGINT,
    closed_at      BIGINT,
    CHECK ((hold_reason <> '') = (status = 'held'))
);
CREATE INDEX orders_merchant ON orders (merchant_id, id);
CREATE INDEX orders_expiry ON orders (due_at) WHERE status = 'pending';
CREATE INDEX orders_completion ON orders (due_at) WHERE status = 'delivered';
CREATE INDEX orders_desk ON orders (merchant_id, status, id) WHERE status IN ('held', 'paid', 'refunding');
CREATE INDEX orders_unpaid ON orders (merchant_id, contact_index) WHERE status = 'pending';

-- Unique for ever and never partitioned, so that orders may be archived by month.
CREATE TABLE order_numbers (
    order_no    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    merchant_id BYTEA NOT NULL,
    order_id    BYTEA NOT NULL
);

-- stock_mode says how the items were reserved, limited whether they count
-- towards their contact's limit: what holds when an order is placed decides
-- what it gives back, whatever staff changed meanwhile.
CREATE TABLE order_lines (
    order_id    BYTEA NOT NULL,
    line_no     BIGINT NOT NULL,
    merchant_id BYTEA NOT NULL,
    product_id  BYTEA NOT NULL,
    sku_id      BYTEA NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    title       TEXT COLLATE "C" NOT NULL,
    quantity    BIGINT NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    unit_price  BIGINT NOT NULL CHECK (unit_price >= 0),
    amount      BIGINT NOT NULL CHECK (amount = unit_price * quantity),
    stock_mode  TEXT COLLATE "C" NOT NULL CHECK (stock_mode IN ('cards', 'counted', 'unlimited')),
    limited     BIGINT NOT NULL CHECK (limited IN (0, 1)),
    PRIMARY KEY (order_id, line_no)
);

-- Written only for products with a limit per contact.
CREATE TABLE purchase_counts (
    merchant_id   BYTEA NOT NULL,
    product_id    BYTEA NOT NULL,
    contact_index BYTEA NOT NULL,
    quantity      BIGINT NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (merchant_id, product_id, contact_index)
);

CREATE TABLE idempotency_keys (
    merchant_id BYTEA NOT NULL,
    scope       TEXT COLLATE "C" NOT NULL,
    key         TEXT COLLATE "C" NOT NULL,
    body_digest BYTEA NOT NULL,
    subject_id  BYTEA NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, scope, key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

CREATE TABLE payment_accounts (
    id            BYTEA NOT NULL PRIMARY KEY,
    merchant_id   BYTEA NOT NULL REFERENCES merchants (id),
    provider      TEXT COLLATE "C" NOT NULL,
    method        TEXT COLLATE "C" NOT NULL,
    external_ref  TEXT COLLATE "C" NOT NULL,
    app_ref       TEXT COLLATE "C" NOT NULL DEFAULT '',
    sandbox       BIGINT NOT NULL DEFAULT 0 CHECK (sandbox IN (0, 1)),
    name          TEXT COLLATE "C" NOT NULL,
    name_en       TEXT COLLATE "C" NOT NULL DEFAULT '',
    config_sealed BYTEA NOT NULL,
    status        TEXT COLLATE "C" NOT NULL CHECK (status IN ('on', 'off')),
    position      BIGINT NOT NULL DEFAULT 0,
    version       BIGINT NOT NULL DEFAULT 1,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    UNIQUE (merchant_id, provider, external_ref, method)
);

CREATE TABLE payments (
    id              BYTEA NOT NULL PRIMARY KEY,
    merchant_id     BYTEA NOT NULL REFERENCES merchants (id),
    order_id        BYTEA NOT NULL,
    account_id      BYTEA NOT NULL REFERENCES payment_accounts (id),
    payment_no      TEXT COLLATE "C" NOT NULL UNIQUE,
    provider        TEXT COLLATE "C" NOT NULL,
    method          TEXT COLLATE "C" NOT NULL,
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('creating', 'open', 'paid', 'closed', 'held')),
    amount          BIGINT NOT NULL CHECK (amount >= 0),
    currency        TEXT COLLATE "C" NOT NULL,
    received        BIGINT NOT NULL DEFAULT 0,
    refunded        BIGINT NOT NULL DEFAULT 0,
    code_url        TEXT COLLATE "C" NOT NULL DEFAULT '',
    transaction_id  TEXT COLLATE "C" NOT NULL DEFAULT '',
    settled_by      TEXT COLLATE "C" NOT NULL DEFAULT '',
    next_query_at   BIGINT,
    last_query_at   BIGINT,
    queries         BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL,
    paid_at         BIGINT,
    closed_at       BIGINT
);
CREATE INDEX payments_order ON payments (order_id);
CREATE INDEX payments_due ON payments (next_query_at) WHERE next_query_at IS NOT NULL;

-- The platform's transaction counts once, for ever.
CREATE TABLE payment_transactions (
    provider       TEXT COLLATE "C" NOT NULL,
    account_id     BYTEA NOT NULL,
    transaction_id TEXT COLLATE "C" NOT NULL,
    merchant_id    BYTEA NOT NULL,
    payment_id     BYTEA NOT NULL,
    amount         BIGINT NOT NULL,
    currency       TEXT COLLATE "C" NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (provider, account_id, transaction_id)
);

CREATE TABLE refunds (
    id          BYTEA NOT NULL PRIMARY KEY,
    merchant_id BYTEA NOT NULL REFERENCES merchants (id),
    order_id    BYTEA NOT NULL,
    payment_id  BYTEA NOT NULL REFERENCES payments (id),
    refund_no   TEXT COLLATE "C" NOT NULL UNIQUE,
    amount      BIGINT NOT NULL CHECK (amount > 0),
    currency    TEXT COLLATE "C" NOT NULL,
    status      TEXT COLLATE "C" NOT NULL CHECK (status IN ('requested', 'processing', 'succeeded', 'failed')),
    reason      TEXT COLLATE "C" NOT NULL,
    source      TEXT COLLATE "C" NOT NULL CHECK (source IN ('sales', 'suspense')),
    refund_id   TEXT COLLATE "C" NOT NULL DEFAULT '',
    next_try_at BIGINT,
    tries       BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    done_at     BIGINT
);
CREATE INDEX refunds_order ON refunds (order_id);
CREATE INDEX refunds_due ON refunds (next_try_at) WHERE next_try_at IS NOT NULL;

-- What a person must decide: money that does not fit.
CREATE TABLE holds (
    id          BYTEA NOT NULL PRIMARY KEY,
    merchant_id BYTEA NOT NULL,
    order_id    BYTEA,
    payment_id  BYTEA,
    refund_id   BYTEA,
    reason      TEXT COLLATE "C" NOT NULL,
    amount      BIGINT NOT NULL,
    currency    TEXT COLLATE "C" NOT NULL,
    detail      TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at  BIGINT NOT NULL,
    resolved_at BIGINT,
    resolution  TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX holds_open ON holds (merchant_id, id) WHERE resolved_at IS NULL;
CREATE INDEX holds_order ON holds (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE deliveries (
    order_id       BYTEA NOT NULL,
    line_no        BIGINT NOT NULL,
    item_no        BIGINT NOT NULL,
    merchant_id    BYTEA NOT NULL,
    sku_id         BYTEA NOT NULL,
    kind           TEXT COLLATE "C" NOT NULL CHECK (kind IN ('card', 'text', 'manual')),
    card_id        BYTEA UNIQUE,
    content_id     BYTEA,
    content_sealed BYTEA,
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN ('waiting', 'delivered')),
    created_at     BIGINT NOT NULL,
    delivered_at   BIGINT,
    PRIMARY KEY (order_id, line_no, item_no),
    CHECK (status = 'waiting' OR
        num_nonnulls(card_id, content_id, content_sealed) = 1)
);
CREATE INDEX deliveries_waiting ON deliveries (merchant_id, created_at) WHERE status = 'waiting';

CREATE TABLE ledger_entries (
    id          BYTEA NOT NULL PRIMARY KEY,
    merchant_id BYTEA NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    subject_id  BYTEA NOT NULL,
    created_at  BIGINT NOT NULL,
    UNIQUE (subject_id, kind)
);

CREATE TABLE ledger_postings (
    entry_id    BYTEA NOT NULL,
    leg         BIGINT NOT NULL,
    merchant_id BYTEA NOT NULL,
    account     TEXT COLLATE "C" NOT NULL,
    amount      BIGINT NOT NULL,
    currency    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (entry_id, leg)
);

CREATE TABLE audit_records (
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
);
CREATE INDEX audit_records_subject ON audit_records (subject_id, id);

CREATE TABLE jobs (
    id          BYTEA NOT NULL PRIMARY KEY,
    merchant_id BYTEA NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    subject_id  BYTEA NOT NULL,
    run_at      BIGINT NOT NULL,
    attempts    BIGINT NOT NULL DEFAULT 0,
    dead        BIGINT NOT NULL DEFAULT 0 CHECK (dead IN (0, 1)),
    last_error  TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at  BIGINT NOT NULL,
    UNIQUE (kind, subject_id)
);
CREATE INDEX jobs_due ON jobs (run_at) WHERE dead = 0;

CREATE TABLE leases (
    name     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder   TEXT COLLATE "C" NOT NULL,
    fence    BIGINT NOT NULL,
    until_ms BIGINT NOT NULL
);
