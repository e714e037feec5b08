package adminsock

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"

	"panshi/internal/backup/ship"
	"panshi/internal/check"
	"panshi/internal/demo"
	"panshi/internal/errs"
	"panshi/internal/imports"
	"panshi/internal/reconcile"
)

// Client is Operations on a shop that runs in another process. It is safe for
// concurrent use. Close it.
type Client struct {
	http *http.Client
}

var (
	_ Operations = (*Client)(nil)
	_ Alerts     = (*Client)(nil)
)

// Dial finds the running shop of a data directory. It fails with ErrNotRunning
// if there is none, with a Forbidden error if the shop is another user's.
func Dial(ctx context.Context, dir string) (*Client, error) { return dialAs(ctx, dir, peerUID) }

func dialAs(ctx context.Context, dir string, peer peerFunc) (*Client, error) {
	connect := func(ctx context.Context) (*net.UnixConn, error) {
		conn, err := dial(ctx, dir)
		if err != nil {
			return nil, err
		}
		if uid, err := peer(conn); err != nil || !mayAnswer(os.Geteuid(), uid, dir) {
			return nil, errors.Join(errImpostor, conn.Close())
		}
		return conn, nil
	}
	first, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	_ = first.Close() // it only proved that somebody is there
	transport := &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx) },
		DisableCompression: true,
		WriteBufferSize:    32 << 10,
	}
	return &Client{http: &http.Client{Transport: transport}}, nil
}

// Close gives up idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Check implements Operations.
func (c *Client) Check(ctx context.Context, progress func(name string, done, total int)) (report check.Report, err error) {
	err = c.do(ctx, ask{method: http.MethodPost, path: "/v1/check", heard: func(raw json.RawMessage) error {
		var p checkProgress
		err := json.Unmarshal(raw, &p)
		progress(p.Name, p.Done, p.Total)
		return err
	}}, &report)
	return report, err
}

// Import implements Operations. The file is streamed.
func (c *Client) Import(ctx context.Context, r ImportRequest, file io.Reader,
	progress func(imports.Progress),
) (report imports.Report, err error) {
	a := ask{method: http.MethodPost, path: "/v1/import", request: r, body: file}
	a.heard = func(raw json.RawMessage) error {
		var p imports.Progress
		err := json.Unmarshal(raw, &p)
		progress(p)
		return err
	}
	err = c.do(ctx, a, &report)
	return report, err
}

// Reconcile implements Operations.
func (c *Client) Reconcile(ctx context.Context, r ReconcileRequest, progress func(ReconcileProgress)) (report reconcile.Report, err error) {
	err = c.do(ctx, ask{method: http.MethodPost, path: "/v1/reconcile", request: r, heard: func(raw json.RawMessage) error {
		var p ReconcileProgress
		err := json.Unmarshal(raw, &p)
		progress(p)
		return err
	}}, &report)
	return report, err
}

// Demo implements Operations.
func (c *Client) Demo(ctx context.Context, progress func(text string)) (summary demo.Summary, err error) {
	err = c.do(ctx, ask{method: http.MethodPost, path: "/v1/demo", heard: func(raw json.RawMessage) error {
		var p demoProgress
		err := json.Unmarshal(raw, &p)
		progress(p.Text)
		return err
	}}, &summary)
	return summary, err
}

// SetupLink implements Operations.
func (c *Client) SetupLink(ctx context.Context, merchantSlug string) (string, error) {
	var link setupLink
	err := c.do(ctx, ask{method: http.MethodPost, path: "/v1/setup_link", request: setupLink{Merchant: merchantSlug}}, &link)
	return link.URL, err
}

// Status implements Operations.
func (c *Client) Status(ctx context.Context) (status Status, err error) {
	err = c.do(ctx, ask{method: http.MethodGet, path: "/v1/status"}, &status)
	return status, err
}

// BackupStatus implements Operations.
func (c *Client) BackupStatus(ctx context.Context) (status ship.Status, err error) {
	err = c.do(ctx, ask{method: http.MethodGet, path: "/v1/backup"}, &status)
	return status, err
}

// ask is one request.
type ask struct {
	method, path string
	request      any                             // told as JSON, or nil
	body         io.Reader                       // or nil
	heard        func(raw json.RawMessage) error // takes progress, or nil
}

// do sends a request and follows its events to the end. Leaving, it hangs up.
func (c *Client) do(ctx context.Context, a ask, result any) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	file := &source{r: a.body}
	if a.body != nil {
		a.body = file
	}
	resp, err := c.send(ctx, a)
	if err == nil {
		defer resp.Body.Close()
		err = follow(resp.Body, a.heard, result)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err() // whatever broke, it broke because of that
	}
	if failed := file.failure(); failed != nil {
		return errs.Wrap(failed, errs.Invalid, "file_unreadable", "the file could not be read to its end")
	}
	if _, known := errors.AsType[*errs.Error](err); known {
		return err
	}
	return errs.Wrap(err, errGone.Kind, errGone.Code, errGone.Msg)
}

// source reads a file for the transport and remembers why that failed.
type source struct {
	r   io.Reader
	mu  sync.Mutex
	err error // guarded by mu: the transport reads in its own goroutine
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *source) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (c *Client) send(ctx context.Context, a ask) (*http.Response, error) {
	target := url.URL{Scheme: "http", Host: "panshi", Path: a.path}
	if a.request != nil {
		raw, err := json.Marshal(a.request)
		if err != nil {
			return nil, err
		}
		target.RawQuery = url.Values{"request": {string(raw)}}.Encode()
	}
	body := a.body
	if body != nil {
		body = io.NopCloser(body) // the file is its owner's to close
	}
	req, err := http.NewRequestWithContext(ctx, a.method, target.String(), body)
	if err != nil {
		return nil, err
	}
	return c.http.Do(req)
}

// follow reads events until the last.
func follow(body io.Reader, heard func(json.RawMessage) error, result any) error {
	events := json.NewDecoder(body)
	for {
		var e event
		if err := events.Decode(&e); err != nil {
			return err
		}
		if !e.last() {
			if heard == nil {
				continue
			}
			if err := heard(e.Progress); err != nil {
				return err
			}
			continue
		}
		if len(e.Result) > 0 && !bytes.Equal(e.Result, []byte("null")) {
			if err := json.Unmarshal(e.Result, result); err != nil {
				return err
			}
		}
		if len(e.Errors) > 0 {
			return errorOf(e.Errors)
		}
		return nil
	}
}

// decodeStrict reads one JSON value and nothing behind it.
func decodeStrict(text string, want any) error {
	d := json.NewDecoder(bytes.NewBufferString(text))
	d.DisallowUnknownFields()
	if err := d.Decode(want); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}
