package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, opts dbtest.Options) dbtest.Opened {
		cfg := postgres.Config{
			URL:            dbtest.EmptyPostgres(t),
			Migrations:     schema(dbtest.Schema(db.Postgres)),
			StatementLimit: opts.StatementLimit,
			LongLimit:      opts.LongLimit,
			Clock:          opts.Clock,
		}
		open := func() *postgres.DB {
			d, err := postgres.Open(context.Background(), cfg)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, d.Close()) })
			return d
		}
		d := open()
		return dbtest.Opened{DB: d, Close: d.Close, Reopen: func() db.DB { return open() }}
	})
}
