package sqlite_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/sqlite"
)

func TestMain(m *testing.M) {
	child()
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, opts dbtest.Options) dbtest.Opened {
		cfg := sqlite.Config{
			Dir:            t.TempDir(),
			Migrations:     schema(dbtest.Schema(db.SQLite)),
			StatementLimit: opts.StatementLimit,
			LongLimit:      opts.LongLimit,
			Clock:          opts.Clock,
			BatchTime:      1 << 40, // a batch ends when nobody waits
		}
		open := func() *sqlite.DB {
			d, err := sqlite.Open(context.Background(), cfg)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, d.Close()) })
			return d
		}
		d := open()
		return dbtest.Opened{DB: d, Close: d.Close, Reopen: func() db.DB { return open() }, Serial: true}
	})
}
