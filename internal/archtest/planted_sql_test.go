package archtest

// plantedSQL are violations of the rules about SQL.
func plantedSQL() []planted {
	const (
		edgeRule     = "edges hold no SQL"
		orderRule    = "SQL placeholders ascend"
		strictRule   = "SQLite tables are STRICT"
		merchantRule = "tables have merchant_id"
		migration    = "internal/db/sqlite/migrations/00001_x.sql"
	)
	query := func(sql string) map[string]string { return one("internal/order/a.go", "package p\nvar q = "+sql+"\n") }
	edge := func(sql string) map[string]string {
		return one("internal/shopapi/a.go", "package p\nvar q = "+sql+"\n")
	}
	return []planted{
		{"select", edgeRule, edge("`SELECT id FROM orders`"), []string{"SQL in an edge"}},
		{"small letters", edgeRule, edge("`\n  delete from orders`"), []string{"SQL in an edge"}},
		{"joined", edgeRule, edge(`"UPDATE " + table + " SET a = 1"`), []string{"SQL in an edge"}},
		{"a sentence", edgeRule, edge(`"Select a product from the list"`), nil},
		{"a verb in capitals", edgeRule, edge(`"SELECT " + column`), []string{"SQL in an edge"}},
		{"plain words", edgeRule, edge(`"update failed; delete the file"`), nil},
		{"a store may", edgeRule, query("`SELECT id FROM orders`"), nil},

		{"descending", orderRule, query("`UPDATE t SET a = $2 WHERE id = $1`"), []string{"$2 follows $0"}},
		{"descending fragment", orderRule, query("` WHERE a = $3 AND b = $2`"), []string{"$2 appears first after $3"}},
		{"a number left out", orderRule, query("`SELECT a FROM t WHERE x = $1 AND y = $3`"), []string{"$3 follows $1"}},
		{"joined descending", orderRule, query("`UPDATE t SET a = $1, b = $3 ` + more + ` WHERE id = $2`"), []string{"$2 appears first after $3"}},
		{"repeats", orderRule, query("`SELECT a FROM t WHERE x = $1 AND y = $2 AND z = $1`"), nil},
		{"joined", orderRule, query("`SELECT ` + cols + ` FROM t WHERE x = $1` + more + ` LIMIT $3`"), nil},
		{"no SQL", orderRule, query("`$2 and $1`"), nil},
		{"sql file", orderRule, one("x/q.sql", "-- $9\nDELETE FROM t WHERE a = $1;\nDELETE FROM t WHERE a = $2 AND b = $1;"), []string{"x/q.sql: $2 follows $0"}},

		{"loose table", strictRule, one(migration, "CREATE TABLE a (id TEXT, x INTEGER DEFAULT (1)) WITHOUT ROWID;\nCREATE TABLE b (id TEXT) STRICT;"), []string{"table a is not STRICT"}},
		{"only a comment says it", strictRule, one(migration, "CREATE TABLE IF NOT EXISTS a (\n  id TEXT -- ) STRICT;\n);"), []string{"table a"}},
		{"with another option", strictRule, one(migration, "create table a (id text check (x in (')', 'b'))) strict, without rowid;"), nil},
		{"shipper's own", strictRule, one(migration, "CREATE TABLE _litestream_seq (id INTEGER);"), nil},
		{"PostgreSQL has none", strictRule, one("internal/db/postgres/migrations/00001_x.sql", "CREATE TABLE a (id text);"), nil},

		{"nobody's rows", merchantRule, one(migration, "CREATE TABLE a (id TEXT) STRICT;\nCREATE TABLE b (merchant_id TEXT) STRICT;"), []string{"table a has no merchant_id"}},
		{"on PostgreSQL", merchantRule, one("internal/db/postgres/migrations/00001_x.sql", "CREATE TABLE a (id text);"), []string{"table a"}},
		{"another column", merchantRule, one(migration, "CREATE TABLE a (old_merchant_id_x TEXT) STRICT;"), []string{"table a"}},
		{"the installation's", merchantRule, one(migration, "CREATE TABLE leases (name TEXT) STRICT; CREATE TABLE merchants (id TEXT) STRICT;"), nil},
	}
}
