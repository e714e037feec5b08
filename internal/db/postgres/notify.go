package postgres

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"panshi/internal/db"
	"panshi/internal/id"
)

// channel is the one channel that all processes listen on; topics travel in
// the payload, so that a new topic needs no word to the server.
const channel = "panshi"

const (
	tellGap    = 10 * time.Millisecond // between two rounds of NOTIFY; what comes meanwhile shares the next
	tellLimit  = 2 * time.Second       // of one NOTIFY
	tellQueue  = 1024                  // messages that wait to be sent
	listenIdle = 15 * time.Second      // of silence, after which the connection is asked whether it lives
)

// wire carries messages between the processes on one database. It sends over
// the pool, after the commit and not in the transaction: NOTIFY holds one lock
// of the whole server from before a transaction's commit until after it, so
// that orders which told of a sold-out product would commit one by one. What a
// process that dies in between did not send, others find by looking.
type wire struct {
	board  db.Board
	pool   *pool
	config *pgconn.Config
	logger *slog.Logger
	self   string          // tells own messages, which were posted already
	ctx    context.Context //nolint:containedctx // of the two goroutines; ends with close
	cancel context.CancelFunc
	queue  chan db.Message
	listen func() // starts the listener, once
	ends   sync.WaitGroup
}

func newWire(cfg Config, online *pool) (*wire, error) {
	settings, err := cfg.poolConfig(1, cfg.StatementLimit)
	if err != nil {
		return nil, err
	}
	config := settings.ConnConfig.Config.Copy()
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn()} // a wait that is given up leaves the connection as it is
	}
	config.RuntimeParams["application_name"] = "panshi listener"
	w := &wire{
		pool: online, config: config, logger: cfg.Logger, self: id.New().String(), queue: make(chan db.Message, tellQueue),
	}
	config.OnNotification = w.hear
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.listen = sync.OnceFunc(func() { w.ends.Go(w.hearing) })
	w.ends.Go(w.telling)
	return w, nil
}

// post gives a committed transaction's messages to this process, and queues
// what others should hear.
func (w *wire) post(messages []db.Message) {
	for _, m := range messages {
		w.board.Post(m.Topic, m.Text)
		if !m.Far {
			continue
		}
		select {
		case w.queue <- m:
		default: // they look by themselves
		}
	}
}

// telling sends what is queued, each message once a round.
func (w *wire) telling() {
	gap := time.NewTimer(0)
	defer gap.Stop()
	for {
		select {
		case <-gap.C:
		case <-w.ctx.Done():
			return
		}
		select {
		case m := <-w.queue:
			w.send(m)
		case <-w.ctx.Done():
			return
		}
		gap.Reset(tellGap)
	}
}

// send sends first and what else waits.
func (w *wire) send(first db.Message) {
	round := map[db.Message]bool{first: true}
	for waiting := len(w.queue); waiting > 0; waiting-- {
		round[<-w.queue] = true
	}
	ctx, cancel := context.WithTimeout(w.ctx, tellLimit)
	defer cancel()
	conn, err := w.pool.Acquire(ctx)
	if err != nil {
		return // the hint is lost
	}
	defer conn.Release()
	for m := range round {
		payload := []byte(w.self + " " + m.Topic + " " + m.Text)
		_, err := conn.Conn().PgConn().ExecParams(ctx, "SELECT pg_notify($1, $2)", [][]byte{[]byte(channel), payload}, nil, nil, nil).Close()
		if err != nil {
			w.logger.Debug("db: a message to other processes was not sent", slog.Any("error", err))
			return
		}
	}
}

// hearing keeps one connection that listens. After each time that there was
// none it has everybody look, because messages were lost.
func (w *wire) hearing() {
	for failures := 0; w.ctx.Err() == nil; failures++ {
		heard, err := w.attend()
		if w.ctx.Err() != nil {
			return
		}
		if heard {
			failures = 0
		}
		if failures == 0 {
			w.logger.Warn("db: the listening connection broke; changes of other processes are found by looking until it is back",
				slog.Any("error", err))
		}
		pause := time.NewTimer(backOff(failures + 4))
		select {
		case <-pause.C:
		case <-w.ctx.Done():
			pause.Stop()
		}
	}
}

// attend connects and hears until the connection breaks. It tells whether it
// ever heard.
func (w *wire) attend() (heard bool, err error) {
	conn, err := pgconn.ConnectConfig(w.ctx, w.config)
	if err != nil {
		return false, err
	}
	defer w.leave(conn)
	if _, err := conn.Exec(w.ctx, "LISTEN "+channel).ReadAll(); err != nil {
		return false, err
	}
	w.board.PostAll()
	for {
		err := w.await(conn)
		if err != nil {
			return true, err
		}
	}
}

// await hears one message, or asks after a long silence whether the other end
// is still there.
func (w *wire) await(conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(w.ctx, listenIdle)
	defer cancel()
	err := conn.WaitForNotification(ctx)
	if err == nil || w.ctx.Err() != nil || conn.IsClosed() || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	alive, stop := context.WithTimeout(w.ctx, tellLimit)
	defer stop()
	return conn.Ping(alive)
}

// hear is the listening connection's handler.
func (w *wire) hear(_ *pgconn.PgConn, n *pgconn.Notification) {
	sender, rest, _ := strings.Cut(n.Payload, " ")
	topic, text, ok := strings.Cut(rest, " ")
	if ok && sender != w.self {
		w.board.Post(topic, text)
	}
}

func (w *wire) leave(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // it is done with, whatever closing says
}

// close ends both goroutines; call it before the pool closes.
func (w *wire) close() {
	w.cancel()
	w.ends.Wait()
}

// Subscribe implements db.Subscriber. The first call opens the connection that
// listens.
func (d *DB) Subscribe(topic string, hear func(text string)) (stop func()) {
	stop = d.wire.board.Subscribe(topic, hear)
	d.wire.listen()
	return stop
}
