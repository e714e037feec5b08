package postgres_test

import (
	"context"
	"sync/atomic"
	"testing"

	"panshi/internal/db"
	"panshi/internal/db/postgres"
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

func benchDB(b *testing.B, guarded bool) *postgres.DB {
	d := own(b, `
		CREATE TABLE bench (id BYTEA PRIMARY KEY, n BIGINT NOT NULL, note TEXT NOT NULL);
		CREATE TABLE counts (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) WITH (fillfactor = 50);
		INSERT INTO counts SELECT v, 0 FROM generate_series(0, 15) AS s (v);`)
	if guarded {
		guardAll(b, d)
	}
	return d
}

// guardAll teaches the engine that both statements need savepoints.
func guardAll(b *testing.B, d *postgres.DB) {
	double := id.New()
	for range 2 {
		_ = update(d, func(tx *db.Tx) error {
			if _, err := tx.Exec(`UPDATE counts SET n = n WHERE id = 0`); err != nil {
				return err
			}
			_, _ = tx.Exec(`INSERT INTO bench (id, n, note) VALUES ($1, $2, $3)`, double, 0, "")
			return nil
		})
		_ = update(d, func(tx *db.Tx) error {
			if _, err := tx.Exec(`UPDATE counts SET n = 9223372036854775807 WHERE id = 3`); err != nil {
				return err
			}
			_, _ = tx.Exec(`UPDATE counts SET n = n + 1 WHERE id = $1`, 3)
			_, err := tx.Exec(`UPDATE counts SET n = 0 WHERE id = 3`)
			return err
		})
	}
	if got := d.Stats().Guarded; got != 2 {
		b.Fatalf("%d statements are guarded", got)
	}
}

func benchSerial(b *testing.B, guarded bool) {
	d := benchDB(b, guarded)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := d.Update(context.Background(), func(tx *db.Tx) error { return small(tx, int64(i)) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}

func benchParallel(b *testing.B, guarded bool) {
	d := benchDB(b, guarded)
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
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}

func BenchmarkUpdateSerial(b *testing.B)   { benchSerial(b, false) }
func BenchmarkUpdateParallel(b *testing.B) { benchParallel(b, false) }

// The same with a savepoint around each statement.
func BenchmarkGuardedSerial(b *testing.B)   { benchSerial(b, true) }
func BenchmarkGuardedParallel(b *testing.B) { benchParallel(b, true) }

func BenchmarkView(b *testing.B) {
	d := benchDB(b, false)
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
