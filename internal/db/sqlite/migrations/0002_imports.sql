-- +goose Up
-- One row an import of a file. Its progress moves in the transaction that
-- stores a chunk, so after a crash the same file goes on at next_line.

CREATE TABLE import_batches (
    id          BLOB NOT NULL PRIMARY KEY,
    merchant_id BLOB NOT NULL REFERENCES merchants (id),
    kind        TEXT NOT NULL CHECK (kind IN ('cards', 'catalog')),
    sku_id      BLOB REFERENCES skus (id),
    file_name   TEXT NOT NULL,
    file_digest BLOB NOT NULL,
    file_size   INTEGER NOT NULL,
    next_line   INTEGER NOT NULL DEFAULT 1 CHECK (next_line >= 1),
    accepted    INTEGER NOT NULL DEFAULT 0 CHECK (accepted >= 0),
    duplicates  INTEGER NOT NULL DEFAULT 0 CHECK (duplicates >= 0),
    bad         INTEGER NOT NULL DEFAULT 0 CHECK (bad >= 0),
    status      TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed')),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    CHECK ((sku_id IS NOT NULL) = (kind = 'cards'))
) STRICT, WITHOUT ROWID;
CREATE INDEX import_batches_file ON import_batches (merchant_id, file_digest);
-- At most one unfinished import of a file: the next run of it goes on there.
CREATE UNIQUE INDEX import_batches_running_cards ON import_batches (merchant_id, sku_id, file_digest)
    WHERE status = 'running' AND kind = 'cards';
CREATE UNIQUE INDEX import_batches_running_catalog ON import_batches (merchant_id, file_digest)
    WHERE status = 'running' AND kind = 'catalog';

-- What was wrong with a line; never what stood on it.
CREATE TABLE import_findings (
    batch_id    BLOB NOT NULL REFERENCES import_batches (id),
    line_no     INTEGER NOT NULL,
    merchant_id BLOB NOT NULL REFERENCES merchants (id),
    code        TEXT NOT NULL,
    PRIMARY KEY (batch_id, line_no)
) STRICT, WITHOUT ROWID;
