-- +goose Up
-- Whether staff decided a refund, or the shop by itself (paid twice, sold out
-- meanwhile): only what staff gives back counts towards the limit of one
-- person. What is older counts as staff's.
ALTER TABLE refunds ADD COLUMN by_staff BIGINT NOT NULL DEFAULT 1 CHECK (by_staff IN (0, 1));

-- What refunds give back of an order's lines. withdrawn of the quantity were
-- not made yet and went back to the shelf. If a refused refund is made again or
-- by hand, its lines belong to the new one: a line is never given back twice.
CREATE TABLE refund_lines (
    refund_id   BYTEA NOT NULL REFERENCES refunds (id),
    line_no     BIGINT NOT NULL,
    merchant_id BYTEA NOT NULL,
    order_id    BYTEA NOT NULL,
    quantity    BIGINT NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    withdrawn   BIGINT NOT NULL CHECK (withdrawn BETWEEN 0 AND quantity),
    amount      BIGINT NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (refund_id, line_no)
);
CREATE INDEX refund_lines_order ON refund_lines (order_id);
