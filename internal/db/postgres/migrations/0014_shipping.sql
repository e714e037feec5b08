-- +goose Up

-- A server's database is backed up by other means: there are no tables of the
-- log shipper here. The number is kept the same as on SQLite.
SELECT 1;
