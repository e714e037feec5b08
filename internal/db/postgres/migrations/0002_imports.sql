-- +goose Up
-- One row an import of a file. Its progress moves in the transaction that
-- stores a chunk, so after a crash the same file goes on at next_line.

CREATE TABLE import_batches (
    id          BYTEA NOT NULL PRIMARY KEY,
    merchant_id BYTEA NOT NULL REFERENCES merchants (id),
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('cards', 'catalog')),
    sku_id      BYTEA REFERENCES skus (id),
    file_name   TEXT COLLATE "C" NOT NULL,
    file_digest BYTEA NOT NULL,
    file_size   BIGINT NOT NULL,
    next_line   BIGINT NOT NULL DEFAULT 1 CHECK (next_line >= 1),
    accepted    BIGINT NOT NULL DEFAULT 0 CHECK (accepted >= 0),
    duplicates  BIGINT NOT NULL DEFAULT 0 CHECK (duplicates >= 0),
    bad         BIGINT NOT NULL DEFAULT 0 CHECK (bad >= 0),
    status      TEXT COLLATE "C" NOT NULL CHECK (status IN ('running', 'done', 'failed')),
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    CHECK ((sku_id IS NOT NULL) = (kind = 'cards'))
);
CREATE INDEX import_batches_file ON import_batches (merchant_id, file_digest);
-- At most one unfinished import of a file: the next run of it goes on there.
CREATE UNIQUE INDEX import_batches_running_cards ON import_batches (merchant_id, sku_id, file_digest)
    WHERE status = 'running' AND kind = 'cards';
CREATE UNIQUE INDEX import_batches_running_catalog ON import_batches (merchant_id, file_digest)
    WHERE status = 'running' AND kind = 'catalog';

-- What was wrong with a line; never what stood on it.
CREATE TABLE import_findings (
    batch_id    BYTEA NOT NULL REFERENCES import_batches (id),
    line_no     BIGINT NOT NULL,
    merchant_id BYTEA NOT NULL REFERENCES merchants (id),
    code        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (batch_id, line_no)
);
