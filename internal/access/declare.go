package access

import (
	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// Invariants declares what `panshi check` verifies of staff.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "access.session_of_same_merchant", About: "every session belongs to a member of staff of its merchant",
			Query: `SELECT s.id, 'session' FROM staff_sessions s LEFT JOIN staff a
				ON a.id = s.staff_id AND a.merchant_id = s.merchant_id WHERE a.id IS NULL`,
		},
		{
			Name: "access.session_of_active_staff", About: "who was disabled has no session",
			Query: `SELECT s.id, a.login FROM staff_sessions s JOIN staff a ON a.id = s.staff_id WHERE a.status <> 'active'`,
		},
		{
			Name: "access.recovery_code_of_same_merchant", About: "every recovery code belongs to a member of staff of its merchant",
			Query: `SELECT c.staff_id, 'recovery code' FROM staff_recovery_codes c LEFT JOIN staff a
				ON a.id = c.staff_id AND a.merchant_id = c.merchant_id WHERE a.id IS NULL`,
		},
		{
			Name: "access.used_link_holds_no_secret", About: "a set-up link that was used holds no second-factor secret",
			Query: `SELECT staff_id, 'used' FROM staff_setup_links WHERE used_at IS NOT NULL AND handle_hash IS NOT NULL`,
		},
		{
			Name: "access.approval_of_same_merchant", About: "maker and checker of a request are staff of its merchant",
			Query: `SELECT a.id, a.kind FROM approvals a LEFT JOIN staff m ON m.id = a.requested_by AND m.merchant_id = a.merchant_id
				LEFT JOIN staff c ON c.id = a.decided_by AND c.merchant_id = a.merchant_id
				WHERE m.id IS NULL OR (a.decided_by IS NOT NULL AND c.id IS NULL)`,
		},
		{
			Name: "access.approval_leaves_a_record", About: "every approval that had its effect stands in the trail",
			Query: `SELECT a.id, a.kind FROM approvals a WHERE a.status = 'approved' AND NOT EXISTS
				(SELECT 1 FROM all_audit_records r WHERE r.subject_id = a.id AND r.action = 'approval.approved')`,
		},
	}
}

// Columns declares the data classes of this package's tables. A login is a
// chosen name and not an address, so it is a fact of trade.
func Columns() []dataclass.Table {
	secret := func(columns ...string) map[string]dataclass.Class {
		m := make(map[string]dataclass.Class, len(columns))
		for _, c := range columns {
			m[c] = dataclass.Secret
		}
		return m
	}
	return []dataclass.Table{
		dataclass.Of("staff", dataclass.Trade, []string{
			"id", "merchant_id", "login", "role", "status", "password_at", "totp_step", "failures", "retry_at",
			"signed_in_at", "created_at", "updated_at",
		}, secret("password_hash", "totp_sealed")),
		dataclass.Of("staff_recovery_codes", dataclass.Trade, []string{"staff_id", "merchant_id", "used_at"}, secret("code_hash")),
		dataclass.Of("staff_sessions", dataclass.Trade, []string{
			"id", "merchant_id", "staff_id", "created_at", "seen_at", "expires_at",
		}, secret("token_hash")),
		dataclass.Of("staff_setup_links", dataclass.Trade, []string{
			"staff_id", "merchant_id", "reissued", "role", "created_at", "expires_at", "used_at",
		}, secret("token_hash", "totp_sealed", "handle_hash")),
		dataclass.Of("approvals", dataclass.Trade, []string{
			"id", "merchant_id", "kind", "subject_kind", "subject_id", "amount", "currency", "reason", "detail", "digest", "status",
			"requested_by", "requested_at", "expires_at", "alone_from", "alerted_at", "decided_by", "decided_at", "note",
		}, secret("effect_sealed")),
		dataclass.Of("staff_unknown_logins", dataclass.Trade, []string{"bucket", "merchant_id", "failures", "retry_at"}),
	}
}
