-- +goose Up
-- What who completes a set-up link will be. Links for others than owners are
-- invitations: each is an approved request, so that several may be open.
ALTER TABLE staff_setup_links ADD COLUMN role TEXT COLLATE "C" NOT NULL DEFAULT 'owner' CHECK (role IN
    ('owner', 'operator', 'support', 'engineer', 'auditor', 'custodian'));
DROP INDEX staff_setup_links_open;
CREATE UNIQUE INDEX staff_setup_links_open ON staff_setup_links (merchant_id) WHERE used_at IS NULL AND role = 'owner';
CREATE INDEX staff_invitations_open ON staff_setup_links (merchant_id, expires_at) WHERE used_at IS NULL AND role <> 'owner';
