-- +goose Up
-- How far what a merchant's pages show has changed: the version is the sum over
-- the merchant's rows, and every transaction that changes them raises one row.
-- There are several so that writers who run side by side do not wait for each
-- other: each takes a row that nobody else holds.
CREATE TABLE catalog_versions (
    merchant_id BYTEA NOT NULL REFERENCES merchants (id),
    slot        BYTEA NOT NULL,
    version     BIGINT NOT NULL CHECK (version > 0),
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, slot)
) WITH (fillfactor = 50);
