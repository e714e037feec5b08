package dbtest

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"panshi/internal/db"
	"panshi/internal/db/postgres"
)

// Planner asks an engine how it would run statements on the shop's schema.
type Planner struct {
	// Scans tells which tables a statement would read from one end to the
	// other. A walk through a partial index is none: such an index holds only
	// what waits for something.
	Scans func(query string) (tables []string, err error)
}

// Planners returns one for each engine, on databases of their own. Closed when
// the test ends.
func Planners(t testing.TB) map[db.Engine]Planner {
	t.Helper()
	return map[db.Engine]Planner{db.SQLite: {litePlans(t)}, db.Postgres: {serverPlans(t)}}
}

// litePlans reads EXPLAIN QUERY PLAN: "SCAN o USING INDEX orders_merchant".
func litePlans(t testing.TB) func(string) ([]string, error) {
	d, param := SQLite(t), regexp.MustCompile(`\$\d+`)
	line := regexp.MustCompile(`^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?`)
	return func(query string) (scans []string, err error) {
		names := aliases(query)
		numbers := param.FindAllString(query, -1)
		slices.Sort(numbers)
		err = d.View(context.Background(), func(tx *db.Tx) error {
			steps, err := db.Collect(tx, func(r db.Rows) (step string, err error) {
				return step, r.Scan(new(int64), new(int64), new(int64), &step)
			}, `EXPLAIN QUERY PLAN `+query, make([]any, len(slices.Compact(numbers)))...)
			if err != nil {
				return err
			}
			scans = nil
			for _, s := range steps {
				m := line.FindStringSubmatch(s)
				if m == nil || names[m[1]] == "" {
					continue // a subquery's result
				}
				partial := false
				if err := tx.Get([]any{&partial}, `SELECT COUNT(*) > 0 FROM sqlite_schema WHERE name = $1 AND sql LIKE '% WHERE %'`, m[2]); err != nil {
					return err
				}
				if !partial {
					scans = append(scans, names[m[1]])
				}
			}
			return nil
		})
		return scans, err
	}
}

// aliases maps how a statement calls its tables to their names.
func aliases(query string) map[string]string {
	from := regexp.MustCompile(`(?i)\b(?:FROM|JOIN|UPDATE|INTO)\s+([a-z_]+)(?:\s+(?:AS\s+)?([a-z]+)\b)?`)
	names := map[string]string{}
	for _, m := range from.FindAllStringSubmatch(query, -1) {
		names[m[1]] = m[1]
		if m[2] != "" {
			names[m[2]] = m[1]
		}
	}
	return names
}

// node is one step of a plan of PostgreSQL.
type node struct {
	Type  string `json:"Node Type"`
	Table string `json:"Relation Name"`
	Index string `json:"Index Name"`
	Cond  string `json:"Index Cond"`
	Plans []node `json:"Plans"`
}

// serverPlans reads EXPLAIN of generic plans, where a table is read as a whole
// only if no index leads to what is asked for: on empty tables the planner
// would read them whatever indexes there are.
func serverPlans(t testing.TB) func(string) ([]string, error) {
	url, ctx := EmptyPostgres(t), context.Background()
	d, err := postgres.Open(ctx, postgres.Config{URL: url})
	if err != nil {
		t.Fatalf("dbtest: opening: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatalf("dbtest: closing: %v", err)
	}
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("dbtest: connecting: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Close(ctx); err != nil {
			t.Errorf("dbtest: closing: %v", err)
		}
	})
	for _, set := range []string{"enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off", "plan_cache_mode = force_generic_plan"} {
		if _, err := c.Exec(ctx, `SET `+set); err != nil {
			t.Fatalf("dbtest: %v", err)
		}
	}
	return func(query string) ([]string, error) { return explain(ctx, c, query) }
}

func explain(ctx context.Context, c *pgx.Conn, query string) (scans []string, err error) {
	s, err := c.Prepare(ctx, "planned", query)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := c.Deallocate(ctx, "planned"); err == nil {
			err = e
		}
	}()
	values := ""
	if n := len(s.ParamOIDs); n > 0 {
		values = "(" + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + ")"
	}
	var text []byte
	if err := c.QueryRow(ctx, `EXPLAIN (FORMAT JSON) EXECUTE planned`+values, pgx.QueryExecModeSimpleProtocol).Scan(&text); err != nil {
		return nil, err
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal(text, &plans); err != nil || len(plans) != 1 {
		return nil, fmt.Errorf("%d plans: %w", len(plans), err)
	}
	return plans[0].Plan.scans(ctx, c)
}

func (n node) scans(ctx context.Context, c *pgx.Conn) (all []string, err error) {
	indexed := strings.HasPrefix(n.Type, "Index") || n.Type == "Bitmap Index Scan"
	if n.Type == "Seq Scan" || indexed && n.Cond == "" {
		var partial bool
		if err := c.QueryRow(ctx, `SELECT count(*) > 0 FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
			WHERE x.relname = $1 AND i.indpred IS NOT NULL`, n.Index).Scan(&partial); err != nil {
			return nil, err
		}
		if !partial {
			all = append(all, strings.TrimSuffix(n.Table, "_default"))
		}
	}
	for _, below := range n.Plans {
		if below.Table == "" {
			below.Table = n.Table // a bitmap's index scan leaves it to the step above
		}
		more, err := below.scans(ctx, c)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}
