-- +goose Up

-- What people decided about a day's cases: they count as if the shop and its
-- books had them.
ALTER TABLE reconcile_days ADD COLUMN decided_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reconcile_days ADD COLUMN decided_paid BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reconcile_days ADD COLUMN decided_refunded BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reconcile_days ADD COLUMN decided_net BIGINT NOT NULL DEFAULT 0;

-- posted counts the postings that a case ever had; adjusted is what the one
-- that holds now moved at the platform, 0 if none does.
ALTER TABLE reconcile_cases ADD COLUMN account_id BYTEA;
ALTER TABLE reconcile_cases ADD COLUMN ledger_amount BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reconcile_cases ADD COLUMN decision TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE reconcile_cases ADD COLUMN adjusted BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reconcile_cases ADD COLUMN posted BIGINT NOT NULL DEFAULT 0;

-- A note without a remedy made nothing agree: those cases are open again.
UPDATE reconcile_cases SET decision = 'accept_fee' WHERE kind = 'fee' AND resolved_by NOT IN ('', 'system');
UPDATE reconcile_cases SET resolved_at = NULL, resolved_by = '', reason = ''
    WHERE kind <> 'fee' AND resolved_by NOT IN ('', 'system');

CREATE INDEX reconcile_cases_decided ON reconcile_cases (merchant_id, day_id, id) WHERE decision <> '';
CREATE INDEX reconcile_cases_left ON reconcile_cases (merchant_id, day_id, id) WHERE resolved_at IS NULL;
DROP INDEX reconcile_cases_open;
CREATE INDEX reconcile_days_left ON reconcile_days (day) WHERE state <> 'closed';
