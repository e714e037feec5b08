package bench

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

// echoSpec is an answer to give to everybody.
type echoSpec struct {
	Status int    `json:"status"`
	Header string `json:"header"` // as it came, a line each
	Body   []byte `json:"body"`
}

// newEcho serves one answer by net/http and nothing else: the bytes, the
// status and the header of what the shop said.
func newEcho(raw []byte) (worker, error) {
	var spec echoSpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return worker{}, err
	}
	var listen net.ListenConfig
	ln, err := listen.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return worker{}, err
	}
	srv := &http.Server{Handler: spec, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	return worker{ready: result{Addr: ln.Addr().String()}, work: noWork, close: func() error {
		err := srv.Close()
		if why := <-ended; !errors.Is(why, http.ErrServerClosed) {
			err = errors.Join(err, why)
		}
		return err
	}}, nil
}

func noWork(context.Context, command) (int64, error) {
	return 0, errors.New("it answers by HTTP only")
}

// ServeHTTP writes the answer.
func (e echoSpec) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	for line := range strings.SplitSeq(e.Header, "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if ok && !strings.EqualFold(name, "date") && !strings.EqualFold(name, "transfer-encoding") {
			h.Add(name, strings.TrimSpace(value))
		}
	}
	w.WriteHeader(e.Status)
	_, _ = w.Write(e.Body) // the client counts
}
