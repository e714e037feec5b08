-- +goose Up
-- How far what a merchant's pages show has changed: the version is the sum over
-- the merchant's rows, and every transaction that changes them raises one row.
-- There are several rows for the other engine's sake, where writers run side
-- by side and each takes a row that nobody else holds.
CREATE TABLE catalog_versions (
    merchant_id BLOB NOT NULL REFERENCES merchants (id),
    slot        BLOB NOT NULL,
    version     INTEGER NOT NULL CHECK (version > 0),
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, slot)
) STRICT, WITHOUT ROWID;
