package ship

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benbjohnson/litestream"
	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/backup/schedule"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
)

// stateDir is the shipper's own directory in the data directory: which
// generation the database belongs to, and files that were staged.
const stateDir = "ship"

// busyTimeout is how long litestream waits for a lock. The writer waits as long
// when a log that became too long has to start over.
const busyTimeout = 200 * time.Millisecond

// lastPatience is how long closing waits for the last shipment.
const lastPatience = 30 * time.Second

// Shipper ships one database. Make it with New.
type Shipper struct {
	cfg    Config
	data   string // the data directory
	needed func(spool.File) bool
	path   string // of the database file
	clock  clock.Clock
	log    *slog.Logger
	limits limits

	daily  schedule.Daily
	spool  *spool.Spool
	client *client
	engine *litestream.DB
	keeper io.Closer // keeps the log when all others have closed

	// cycle is held while litestream reads the log or restarts it.
	cycle   sync.Mutex
	running bool // guarded by cycle; a first whole copy is in the spool

	writing  sync.Mutex // held while a whole copy is written
	progress progress
	pages    pages                  // owned by the writer's goroutine
	frozen   atomic.Pointer[freeze] // who wants the writer to stand still, nil if nobody does
	soon     chan struct{}
	wanted   atomic.Bool   // somebody wants a whole copy
	asked    chan struct{} // and wakes who makes it
	stop     context.CancelFunc
	workers  sync.WaitGroup
}

// New makes a shipper for the database file at path in the data directory. It
// touches nothing yet. cfg is valid and enabled. needed tells of files that would
// expire whether somebody still has to copy them; then they stay. It is called
// by any goroutine.
func New(cfg Config, data, path string, needed func(spool.File) bool, clk clock.Clock, log *slog.Logger) *Shipper {
	s := &Shipper{
		cfg: cfg, data: data, path: path, needed: needed, clock: clk, log: log, limits: usual(),
		soon: make(chan struct{}, 1), asked: make(chan struct{}, 1), stop: func() {},
	}
	s.progress.clock = clk
	return s
}

// Start opens the spool and begins to ship, by s's own goroutines; the first
// shipment may be a whole copy, which Start does not wait for. daily is when the
// others are written. The database is open, its Checkpointer is this shipper, and nobody writes to it yet.
func (s *Shipper) Start(ctx context.Context, cipher tink.StreamingAEAD, daily schedule.Daily) error {
	if strings.ContainsAny(s.path, "?#%") {
		return errs.Field("data", "ship_path_unusable", "a data directory that is shipped must have none of ?, # and % in its path")
	}
	dir := s.cfg.Spool
	if dir == "" {
		dir = Beside(s.data)
	}
	s.daily = daily
	var err error
	if s.spool, err = spool.Create(dir, cipher); err != nil {
		return err
	}
	generation, err := s.generation(ctx)
	if err != nil {
		return err
	}
	s.client = &client{spool: s.spool, generation: generation}
	if err := s.open(ctx); err != nil {
		return errors.Join(err, s.Close()) //nolint:contextcheck // closing ships the rest, whoever has gone
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.workers.Go(func() { s.shipAll(run) })
	s.workers.Go(func() { s.mergeAll(run) })
	s.workers.Go(func() { s.watch(run) })
	return nil
}

// open hands the database to litestream with everything that it would do by
// itself switched off.
func (s *Shipper) open(ctx context.Context) error {
	var err error
	if s.keeper, err = sqlite.KeepLog(ctx, s.path); err != nil {
		return err
	}
	quiet := slog.New(onlyWarnings{s.log.Handler()})
	e := litestream.NewDB(s.path)
	e.SetLogger(quiet)
	e.SetMetaPath(s.staged())
	e.MonitorInterval = 0
	e.CheckpointInterval = 0
	e.MinCheckpointPageN, e.TruncatePageN = math.MaxInt32, math.MaxInt32
	e.BusyTimeout = busyTimeout
	e.L0Retention = 0
	e.RetentionEnabled = false
	e.ShutdownSyncTimeout = 0 // one try: Close has shipped
	e.Replica = litestream.NewReplicaWithClient(e, s.client)
	e.Replica.MonitorEnabled = false
	if err := e.Open(); err != nil {
		return fmt.Errorf("ship: %w", err)
	}
	s.engine = e
	return nil
}

// Spool is where the shipments go; it is there once Start has returned.
func (s *Shipper) Spool() *spool.Spool { return s.spool }

func (s *Shipper) staged() string { return filepath.Join(s.data, stateDir, "staged") }

// shipAll ships every interval until ctx ends.
func (s *Shipper) shipAll(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Interval)
	defer tick.Stop()
	for {
		// An error is in the status and in the lag; the next round tries again.
		_ = s.ship(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.soon:
		}
	}
}

// ship brings what was committed before the call into the spool.
func (s *Shipper) ship(ctx context.Context) error {
	s.cycle.Lock()
	defer s.cycle.Unlock()
	mark := s.progress.begin()
	if mark.idle && s.running {
		return nil
	}
	err := s.engine.SyncAndWait(ctx)
	if err == nil {
		err = s.arrived(mark)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	s.progress.end(mark, err)
	if err == nil && !s.running {
		s.running = true
		s.log.Info("backup: shipping", slog.String("generation", s.client.generation))
	}
	return err
}

// arrived looks for itself whether what was marked is in the spool.
func (s *Shipper) arrived(mark mark) error {
	position, err := s.engine.Pos()
	if err != nil {
		return fmt.Errorf("ship: %w", err)
	}
	newest, ok := s.client.shipped()
	if !ok || newest.Last != uint64(position.TXID) {
		return errs.New(errs.Integrity, "ship_incomplete", "the spool does not have what was shipped")
	}
	read := s.engine.SyncDiagnostic().LastSyncedWALOffset
	if end := logEnd(mark.pages, s.engine.PageSize()); read != 0 && read < end {
		return errs.New(errs.Integrity, "ship_incomplete", fmt.Sprintf("the log was read to byte %d and ends at %d", read, end))
	}
	return nil
}

// logEnd is how long a log of some pages is.
func logEnd(pages, pageSize int) int64 {
	if pages == 0 {
		return 0
	}
	return litestream.WALHeaderSize + int64(pages)*int64(litestream.WALFrameHeaderSize+pageSize)
}

// Close ships what is left and lets go of the database file. The engine has
// closed all its connections.
func (s *Shipper) Close() error {
	s.stop()
	s.workers.Wait()
	var all []error
	if s.engine != nil {
		ctx, cancel := context.WithTimeout(context.Background(), lastPatience)
		defer cancel()
		all = append(all, s.ship(ctx), s.engine.Close(ctx))
	}
	if s.keeper != nil {
		all = append(all, s.keeper.Close())
	}
	return errors.Join(all...)
}

// onlyWarnings keeps litestream's notes on its daily work out of the log.
type onlyWarnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (onlyWarnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// WithAttrs implements slog.Handler.
func (h onlyWarnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return onlyWarnings{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h onlyWarnings) WithGroup(name string) slog.Handler {
	return onlyWarnings{h.Handler.WithGroup(name)}
}

var _ db.Checkpointer = (*Shipper)(nil)
