package adminsock

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"panshi/internal/errs"
	"panshi/internal/imports"
)

const (
	// maxHeader bounds what a request says beside its file.
	maxHeader = 32 << 10
	// grace is how long operations under way may take to notice the end.
	grace = 10 * time.Second
)

// Shop is all that commands do to a shop.
type Shop struct {
	Operations
	Setup
	Alerts
	Backups
}

// Serve answers on DIR/admin.sock by shop until ctx ends. Then it cancels the
// operations under way, waits for them and removes the socket. The caller
// holds the lock of the data directory. It gives nil for an orderly end,
// ErrRunning if another process answers there.
func Serve(ctx context.Context, dir string, shop Shop, log *slog.Logger) error {
	ln, err := listen(ctx, dir)
	if err != nil {
		return err
	}
	s := &server{ops: shop.Operations, setup: shop.Setup, alerts: shop.Alerts, backups: shop.Backups, log: log, peer: peerUID}
	err = s.serve(ctx, ln)
	if rmErr := os.Remove(filepath.Join(dir, socketName)); rmErr != nil && !errors.Is(rmErr, os.ErrNotExist) {
		err = errors.Join(err, rmErr)
	}
	return err
}

// server turns requests into calls of the shop. It does not change.
type server struct {
	ops     Operations
	setup   Setup
	alerts  Alerts
	backups Backups
	standby Standby // instead of the others, if it is one
	log     *slog.Logger
	peer    peerFunc
}

// strangerKey marks the context of a connection whose peer may not ask.
type strangerKey struct{}

func (s *server) serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: s.greet,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := srv.Shutdown(ending)
	if err != nil {
		err = errors.Join(err, srv.Close())
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// greet asks who connected. Who may not ask is told so by the handler.
func (s *server) greet(ctx context.Context, conn net.Conn) context.Context {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return context.WithValue(ctx, strangerKey{}, true)
	}
	uid, err := s.peer(unix)
	if err != nil || !mayAsk(uid) {
		s.log.LogAttrs(ctx, slog.LevelWarn, "admin socket: refused", slog.Int("uid", uid), slog.Any("error", err))
		return context.WithValue(ctx, strangerKey{}, true)
	}
	return ctx
}

func (s *server) handler() http.Handler {
	if s.standby != nil {
		return s.standbyHandler()
	}
	mux := http.NewServeMux()
	for pattern, do := range map[string]operation{
		"POST /v1/check": s.check, "POST /v1/import": s.importFile, "POST /v1/reconcile": s.reconcile, "POST /v1/demo": s.demo,
		"POST /v1/setup_link": s.setupLink, "GET /v1/status": s.status, "GET /v1/backup": s.backup, "POST /v1/backup_now": s.backupNow,
		"POST /v1/merchant": s.putMerchant, "GET /v1/merchants": s.merchants,
		"POST /v1/account": s.putAccount, "GET /v1/accounts": s.accounts,
		"POST /v1/account_rules": s.setAccountRules,
		"GET /v1/alerts":         s.openAlerts, "POST /v1/alert_acknowledge": s.acknowledge, "POST /v1/notify_test": s.testChannels,
	} {
		mux.Handle(pattern, s.answer(do))
	}
	mux.Handle("/", s.answer(func(context.Context, call) (any, error) {
		return nil, errs.New(errs.NotFound, "operation_unknown", "the running shop does not know this operation; is it of another version?")
	}))
	return mux
}

// operation does one request. A result may come with an error.
type operation func(ctx context.Context, c call) (result any, err error)

// call is what an operation was asked for and how it tells progress.
type call struct {
	query url.Values
	body  io.Reader
	tell  func(progress any)
}

// request reads the JSON of the query into want; unknown members are refused,
// because a word that is not understood might have been a limit.
func (c call) request(want any) error {
	if err := decodeStrict(c.query.Get("request"), want); err != nil {
		return errs.Wrap(err, errs.Malformed, "request_malformed", "the request is not what this version of the shop expects")
	}
	return nil
}

// answer runs an operation and streams what it tells. A client that cannot be
// told any more has gone, and with it the reason to go on.
func (s *server) answer(do operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		out := &stream{w: w, rc: http.NewResponseController(w), gone: cancel}
		// Without full duplex the first progress would wait for the whole file.
		// A connection that lacks it is none of ours.
		_ = out.rc.EnableFullDuplex()
		w.Header().Set("Content-Type", "application/x-ndjson")
		if ctx.Value(strangerKey{}) != nil {
			out.end(nil, errStranger)
			return
		}
		result, err := s.guarded(ctx, do, call{query: r.URL.Query(), body: r.Body, tell: out.tell})
		if err != nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "admin socket: failed", slog.String("operation", r.URL.Path), slog.Any("error", err))
		}
		out.end(result, err)
		// A file that was refused half-way is read to its end: closed earlier,
		// the connection could break in the client's hands before the answer
		// was read. A client that has its answer hangs up.
		_, _ = io.Copy(io.Discard, r.Body)
	})
}

// guarded turns a panic of an operation into an error, so that its client
// hears of it; the log has the stack.
func (s *server) guarded(ctx context.Context, do operation, c call) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "admin socket: panic", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			result, err = nil, errs.New(errs.Internal, "internal", "something went wrong in the shop; its log tells more")
		}
	}()
	return do(ctx, c)
}

// stream writes the events of one answer; it belongs to one goroutine.
type stream struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	gone func()
}

func (s *stream) tell(progress any) {
	raw, err := json.Marshal(progress)
	if err != nil {
		return // progress is no reason to fail
	}
	s.write(event{Progress: raw})
}

func (s *stream) end(result any, err error) {
	raw, jsonErr := json.Marshal(result)
	if jsonErr != nil {
		raw, err = nil, errors.Join(err, jsonErr)
	}
	s.write(event{Result: raw, Errors: problemsOf(err)})
}

func (s *stream) write(e event) {
	line, err := json.Marshal(e)
	if err == nil {
		_, err = s.w.Write(append(line, '\n'))
	}
	if err == nil {
		err = s.rc.Flush()
	}
	if err != nil {
		s.gone()
	}
}

func (s *server) check(ctx context.Context, c call) (any, error) {
	return s.ops.Check(ctx, func(name string, done, total int) { c.tell(checkProgress{name, done, total}) })
}

func (s *server) importFile(ctx context.Context, c call) (any, error) {
	var r ImportRequest
	if err := c.request(&r); err != nil {
		return nil, err
	}
	return s.ops.Import(ctx, r, c.body, func(p imports.Progress) { c.tell(p) })
}

func (s *server) reconcile(ctx context.Context, c call) (any, error) {
	var r ReconcileRequest
	if err := c.request(&r); err != nil {
		return nil, err
	}
	return s.ops.Reconcile(ctx, r, func(p ReconcileProgress) { c.tell(p) })
}

func (s *server) demo(ctx context.Context, c call) (any, error) {
	return s.ops.Demo(ctx, func(text string) { c.tell(demoProgress{text}) })
}

func (s *server) setupLink(ctx context.Context, c call) (any, error) {
	var r setupLink
	if err := c.request(&r); err != nil {
		return nil, err
	}
	link, err := s.ops.SetupLink(ctx, r.Merchant)
	return setupLink{URL: link}, err
}

func (s *server) status(ctx context.Context, _ call) (any, error) { return s.ops.Status(ctx) }

func (s *server) backup(ctx context.Context, _ call) (any, error) { return s.ops.BackupStatus(ctx) }
