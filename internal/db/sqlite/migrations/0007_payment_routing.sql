-- +goose Up
-- What an account takes: 0 and '' are "no limit". Amounts are minor units.
ALTER TABLE payment_accounts ADD COLUMN min_amount INTEGER NOT NULL DEFAULT 0 CHECK (min_amount >= 0);
ALTER TABLE payment_accounts ADD COLUMN max_amount INTEGER NOT NULL DEFAULT 0 CHECK (max_amount >= 0);
ALTER TABLE payment_accounts ADD COLUMN day_amount INTEGER NOT NULL DEFAULT 0 CHECK (day_amount >= 0);
ALTER TABLE payment_accounts ADD COLUMN day_count INTEGER NOT NULL DEFAULT 0 CHECK (day_count >= 0);
ALTER TABLE payment_accounts ADD COLUMN currency TEXT NOT NULL DEFAULT '';
ALTER TABLE payment_accounts ADD COLUMN clients TEXT NOT NULL DEFAULT '';
ALTER TABLE payment_accounts ADD COLUMN hours TEXT NOT NULL DEFAULT '';
ALTER TABLE payment_accounts ADD COLUMN weight INTEGER NOT NULL DEFAULT 1 CHECK (weight > 0);

-- Only payments of an account with a limit a day are counted, so only they are
-- in an index: all others cost nothing.
ALTER TABLE payments ADD COLUMN counted INTEGER NOT NULL DEFAULT 0 CHECK (counted IN (0, 1));
CREATE INDEX payments_counted ON payments (account_id, created_at) WHERE counted = 1;
