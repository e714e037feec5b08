package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"time"
)

// call is one authenticated request to the payment API.
type call struct {
	r        *http.Request
	body     []byte
	merchant *merchant
	now      time.Time
}

// endpoint answers a call with a status and a value to encode; a nil value is an empty body.
type endpoint func(*call) (int, any, error)

// answer is a finished response of the payment API.
type answer struct {
	status int
	body   []byte
	plain  bool // not signed and not JSON: what a broken gateway sends
	half   bool // breaks off in the middle
	skew   time.Duration
}

// api wraps an endpoint in what all endpoints of the platform share: injected faults, authentication, durability,
// and the signed answer. path names the endpoint to the faults.
func (s *Sandbox) api(path string, e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fault := s.faults.nextAPI(path, merchantOf(r.Header.Get("Authorization")), s.now())
		if fault.any() && !fault.after {
			s.misbehave(w, r, fault, func() answer { return s.perform(w, r, e) })
			return
		}
		out := s.perform(w, r, e)
		if fault.any() {
			s.misbehave(w, r, fault, func() answer { return out })
			return
		}
		s.send(w, r, out)
	}
}

// misbehave waits as the fault demands, then sends its false answer, or the true one if it only delays.
func (s *Sandbox) misbehave(w http.ResponseWriter, r *http.Request, f apiFault, truth func() answer) {
	if !pause(r.Context(), f.hang) {
		return
	}
	switch {
	case f.reset:
		reset(w)
	case f.fail != nil:
		s.send(w, r, answer{status: f.fail.Status, body: encode(f.fail.body())})
	case f.garbage:
		s.send(w, r, answer{status: http.StatusOK, body: []byte("<html><title>gateway</title>\x00\xff not json"), plain: true})
	default:
		out := truth()
		out.half, out.skew = f.half, f.skew
		s.send(w, r, out)
	}
}

// reset breaks the connection off as a middlebox does, without an answer.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // a connection that cannot be taken over (HTTP/2) is broken off all the same
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func (s *Sandbox) perform(w http.ResponseWriter, r *http.Request, e endpoint) answer {
	status, value, err := s.dispatch(w, r, e)
	if lost := s.durable(); lost != nil {
		err = lost // even a refusal tells of state: ORDERPAID must not be said of a payment that may be lost
	}
	if err != nil {
		fail := asAPIError(err)
		s.log.Info("sandbox refused", "method", r.Method, "path", r.URL.Path, "status", fail.Status, "code", fail.Code)
		return answer{status: fail.Status, body: encode(fail.body())}
	}
	if value == nil {
		return answer{status: status}
	}
	return answer{status: status, body: encode(value)}
}

func (s *Sandbox) dispatch(w http.ResponseWriter, r *http.Request, e endpoint) (int, any, error) {
	body, err := readBody(w, r)
	if err != nil {
		return 0, nil, err
	}
	now := s.now()
	m, err := s.authenticate(r, body, now)
	if err != nil {
		return 0, nil, err
	}
	return e(&call{r: r, body: body, merchant: m, now: now})
}

// send signs and writes a. A caller that names the platform certificate in Wechatpay-Serial gets that signature.
func (s *Sandbox) send(w http.ResponseWriter, r *http.Request, a answer) {
	head := w.Header()
	if a.plain {
		head.Set("Content-Type", "text/html")
	} else {
		signed, err := s.signature(s.signerFor(r.Header.Get("Wechatpay-Serial")), a.body, s.now().Add(a.skew))
		if err != nil {
			s.log.Error("sandbox cannot sign", "error", err)
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		for name, values := range signed {
			head[name] = values
		}
		head.Set("Request-Id", randomHex(16))
	}
	if len(a.body) > 0 && !a.plain {
		head.Set("Content-Type", "application/json; charset=utf-8")
	}
	if a.half {
		head.Set("Content-Length", strconv.Itoa(len(a.body)+1)) // more than comes, also where nothing should
	}
	w.WriteHeader(a.status)
	if a.half {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body) // the caller has gone: nobody is left to tell
}

func (s *Sandbox) signerFor(serial string) signer {
	var p *platform
	s.view(func(st *state) { p = st.platform })
	return p.answerSigner(serial)
}

// signature returns the four headers that prove body.
func (s *Sandbox) signature(with signer, body []byte, now time.Time) (http.Header, error) {
	stamp, nonce := strconv.FormatInt(now.Unix(), 10), randomString(alphanumeric, 32)
	sig, err := with.sign(stamp + "\n" + nonce + "\n" + string(body) + "\n")
	if err != nil {
		return nil, err
	}
	head := http.Header{}
	head.Set("Wechatpay-Timestamp", stamp)
	head.Set("Wechatpay-Nonce", nonce)
	head.Set("Wechatpay-Signature", sig)
	head.Set("Wechatpay-Serial", with.serial)
	head.Set("Wechatpay-Signature-Type", authScheme)
	return head, nil
}

// encode writes v as JSON without HTML escapes. v is one of our own values and always encodes.
func encode(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte(`{"code":"SYSTEM_ERROR","message":"cannot encode the answer"}`)
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}

// pause waits d, and tells whether ctx lasted.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// wxTime formats a moment as the platform does: RFC 3339 with seconds, Beijing time.
func wxTime(t time.Time) string {
	return t.In(time.FixedZone("CST", 8*60*60)).Format(time.RFC3339)
}
