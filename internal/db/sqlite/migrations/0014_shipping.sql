-- +goose Up

-- The log shipper's own tables, which it would make itself: a row that is
-- raised to begin a log anew, and a table whose only use is to be locked.
CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);
CREATE TABLE _litestream_lock (id INTEGER);
