package bulk

// tables are the columns that are written, in the order of the values that put
// is given. What a later migration adds with a default needs no mention.
func tables() map[string]string {
	return map[string]string{
		"merchants":        "id, slug, is_default, name, name_en, currency, status, created_at, updated_at",
		"payment_accounts": "id, merchant_id, provider, method, external_ref, name, config_sealed, status, created_at, updated_at",
		"products":         "id, merchant_id, slug, kind, title, title_en, status, position, per_contact_limit, created_at, updated_at",
		"skus":             "id, merchant_id, product_id, code, price, currency, status, created_at, updated_at",
		"stock":            "sku_id, merchant_id, mode, available, held, sold, updated_at",
		"shared_contents":  "id, merchant_id, sku_id, content_sealed, created_at",
		"import_batches": "id, merchant_id, kind, sku_id, file_name, file_digest, file_size, next_line, accepted, status, " +
			"created_at, updated_at",
		"cards":         "id, merchant_id, sku_id, batch_id, status, order_id, content_sealed, content_index, created_at",
		"order_numbers": "order_no, merchant_id, order_id",
		"orders": "id, merchant_id, order_no, status, currency, total, contact_kind, contact_sealed, contact_index, lang, " +
			"hold_reason, expires_at, due_at, created_at, paid_at, delivered_at, closed_at",
		"order_lines": "order_id, line_no, merchant_id, product_id, sku_id, kind, title, quantity, unit_price, amount, " +
			"stock_mode, limited",
		"purchase_counts":  "merchant_id, product_id, contact_index, quantity",
		"idempotency_keys": "merchant_id, scope, key, body_digest, subject_id, expires_at",
		"payments": "id, merchant_id, order_id, account_id, payment_no, provider, method, status, amount, currency, received, " +
			"refunded, code_url, transaction_id, settled_by, next_query_at, last_query_at, queries, created_at, paid_at, closed_at",
		"payment_transactions": "provider, account_id, transaction_id, merchant_id, payment_id, amount, currency, created_at",
		"refunds": "id, merchant_id, order_id, payment_id, refund_no, amount, currency, status, reason, source, refund_id, " +
			"next_try_at, tries, created_at, done_at",
		"holds": "id, merchant_id, order_id, payment_id, reason, amount, currency, detail, created_at",
		"deliveries": "order_id, line_no, item_no, merchant_id, sku_id, kind, card_id, content_id, content_sealed, status, " +
			"created_at, delivered_at",
		"ledger_entries":  "id, merchant_id, kind, subject_id, created_at",
		"ledger_postings": "entry_id, leg, merchant_id, account, amount, currency",
		"audit_records":   "id, merchant_id, actor_kind, actor_id, action, subject_kind, subject_id, detail, request_id, at",
		"jobs":            "id, merchant_id, kind, subject_id, run_at, created_at",
	}
}
