package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
)

// NewServer returns an http.Server with cfg's time-outs and bounds. What
// net/http itself complains about goes to logger as warnings.
func NewServer(cfg Config, handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: cfg.ReadHeaderTimeout,
		ReadTimeout:       cfg.ReadTimeout,
		WriteTimeout:      cfg.WriteTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    cfg.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),

		DisableGeneralOptionsHandler: true, // "OPTIONS *" gets our 404, like any address that we lack
	}
}

// Serve answers on ln until ctx ends. Then it takes no more connections,
// gives the requests under way cfg.ShutdownTimeout and cuts what is left. It
// gives nil for an orderly end.
func Serve(ctx context.Context, srv *http.Server, ln net.Listener, cfg Config) error {
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
	defer cancel()
	err := srv.Shutdown(grace)
	if err != nil {
		err = errors.Join(err, srv.Close())
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
