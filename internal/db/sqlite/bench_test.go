package sqlite_test

import (
	"context"
	"sync/atomic"
	"testing"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/sqlite"
	"panshi/internal/id"
)

// small is a write as the money path makes them: one insert and one counter.
func small(tx *db.Tx, n int64) error {
	if _, err := tx.Exec(`INSERT INTO bench (id, n, note) VALUES ($1, $2, $3)`, id.New(), n, "a line of an order"); err != nil {
		return err
	}
	_, err := tx.Exec(`UPDATE counts SET n = n + 1 WHERE id = $1`, n%16)
	return err
}

func benchDB(b *testing.B) *sqlite.DB {
	d := dbtest.SQLite(b, withTables(`
		CREATE TABLE bench (id BLOB PRIMARY KEY, n INTEGER NOT NULL, note TEXT NOT NULL) STRICT, WITHOUT ROWID;
		CREATE TABLE counts (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;
		WITH RECURSIVE s (v) AS (SELECT 0 UNION ALL SELECT v + 1 FROM s WHERE v < 15) INSERT INTO counts SELECT v, 0 FROM s;`))
	return d
}

func BenchmarkUpdateSerial(b *testing.B) {
	d := benchDB(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := d.Update(context.Background(), func(tx *db.Tx) error { return small(tx, int64(i)) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}

func BenchmarkUpdateParallel(b *testing.B) {
	d := benchDB(b)
	b.ReportAllocs()
	b.SetParallelism(32) // times GOMAXPROCS; 64 callers on 2 cores
	var n atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if err := d.Update(context.Background(), func(tx *db.Tx) error { return small(tx, i) }); err != nil {
				b.Error(err)
				return
			}
		}
	})
	s := d.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
	b.ReportMetric(float64(s.Closures)/float64(s.Batches), "closures/batch")
}

func BenchmarkView(b *testing.B) {
	d := benchDB(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		err := d.View(context.Background(), func(tx *db.Tx) error {
			var n int64
			return tx.Get([]any{&n}, `SELECT n FROM counts WHERE id = $1`, i%16)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
