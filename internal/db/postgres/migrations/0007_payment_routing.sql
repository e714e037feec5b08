-- +goose Up
-- What an account takes: 0 and '' are "no limit". Amounts are minor units.
ALTER TABLE payment_accounts ADD COLUMN min_amount BIGINT NOT NULL DEFAULT 0 CHECK (min_amount >= 0);
ALTER TABLE payment_accounts ADD COLUMN max_amount BIGINT NOT NULL DEFAULT 0 CHECK (max_amount >= 0);
ALTER TABLE payment_accounts ADD COLUMN day_amount BIGINT NOT NULL DEFAULT 0 CHECK (day_amount >= 0);
ALTER TABLE payment_accounts ADD COLUMN day_count BIGINT NOT NULL DEFAULT 0 CHECK (day_count >= 0);
ALTER TABLE payment_accounts ADD COLUMN currency TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE payment_accounts ADD COLUMN clients TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE payment_accounts ADD COLUMN hours TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE payment_accounts ADD COLUMN weight BIGINT NOT NULL DEFAULT 1 CHECK (weight > 0);

-- Only payments of an account with a limit a day are counted, so only they are
-- in an index: all others cost nothing.
ALTER TABLE payments ADD COLUMN counted BIGINT NOT NULL DEFAULT 0 CHECK (counted IN (0, 1));
CREATE INDEX payments_counted ON payments (account_id, created_at) WHERE counted = 1;
