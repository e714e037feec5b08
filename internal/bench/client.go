package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one persistent HTTP/1.1 connection. It sends bytes that were
// formatted before and reads no more of an answer than its framing, because on
// the cores of the shop every microsecond of the client is one that the shop
// does not have.
type conn struct {
	net.Conn
	in   *bufio.Reader
	body []byte // of the last answer, until the next
}

// answerIn is how long a client waits for one answer.
const answerIn = 30 * time.Second

func dial(ctx context.Context, addr string) (*conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReaderSize(c, 32<<10)}, nil
}

// do sends a request and reads its answer; c.body has the body.
func (c *conn) do(request []byte) (status int, err error) {
	status, _, err = c.exchange(request, false)
	return status, err
}

var errFraming = errors.New("an answer without a length")

// exchange is do; with keep it also returns the header as it came.
func (c *conn) exchange(request []byte, keep bool) (status int, header []byte, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, nil, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil || len(line) < 13 {
		return 0, nil, fmt.Errorf("no answer: %w", err)
	}
	status, err = strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, nil, err
	}
	length, chunked := -1, false
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		if len(line) <= 2 {
			break
		}
		if keep {
			header = append(header, line...)
		}
		switch name, value, _ := bytes.Cut(line, []byte(":")); {
		case len(name) == 14 && bytes.EqualFold(name, []byte("content-length")):
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value))) // a bad one fails below
		case len(name) == 17 && bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = true
		}
	}
	return status, header, c.readBody(status, length, chunked)
}

func (c *conn) readBody(status, length int, chunked bool) error {
	c.body = c.body[:0]
	switch {
	case status == 304 || status == 204:
		return nil
	case chunked:
		return c.readChunks()
	case length < 0:
		return errFraming
	}
	return c.readN(length)
}

func (c *conn) readN(n int) error {
	at := len(c.body)
	c.body = append(c.body, make([]byte, n)...)
	_, err := io.ReadFull(c.in, c.body[at:])
	return err
}

func (c *conn) readChunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if err := c.readN(int(n)); err != nil {
			return err
		}
		if _, err := c.in.Discard(2); err != nil || n == 0 {
			return err
		}
	}
}

// target is what a load is directed at.
type target struct {
	addr  string
	want  int                                // status of a success
	limit int64                              // operations there are; 0: without end
	form  func(seq int64, buf []byte) []byte // formats operation seq into buf
	took  func(seq int64, body []byte)       // looks at a success, if not nil; on many goroutines
}

// load is a target with its clients' connections.
type load struct {
	target
	conns []*conn
	seq   atomic.Int64
}

func open(ctx context.Context, clients int, t target) (*load, error) {
	l := &load{target: t}
	for range clients {
		c, err := dial(ctx, t.addr)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.conns = append(l.conns, c)
	}
	return l, nil
}

func (l *load) close() error {
	var faults []error
	for _, c := range l.conns {
		faults = append(faults, c.Close())
	}
	return errors.Join(faults...)
}

// sample is what a stretch of load measured.
type sample struct {
	ops, errors int64
	took        time.Duration
	latencies   []time.Duration // of successes, in no order
	fault       error           // the first
}

// rate is successes a second.
func (s sample) rate() float64 { return float64(s.ops) / s.took.Seconds() }

// closed lets every client ask, wait for the answer, and ask again, for a time
// or until the operations run out.
func (l *load) closed(ctx context.Context, d time.Duration) sample {
	begin := time.Now()
	end := begin.Add(d)
	return l.each(begin, func(c *conn, s *sample) {
		buf := make([]byte, 0, 4<<10)
		for now := time.Now(); now.Before(end) && ctx.Err() == nil; {
			seq := l.seq.Add(1) - 1
			if l.limit > 0 && seq >= l.limit {
				return
			}
			buf = l.form(seq, buf[:0])
			if !l.one(c, s, seq, buf, now) {
				return
			}
			now = time.Now()
		}
	})
}

// paced sends at a fixed rate whether answers come or not. A latency counts
// from the moment at which the operation was due, so that a stall of the shop
// is felt by all whom it would have kept waiting.
func (l *load) paced(ctx context.Context, d time.Duration, rate float64) sample {
	begin := time.Now()
	var turn atomic.Int64
	return l.each(begin, func(c *conn, s *sample) {
		buf := make([]byte, 0, 4<<10)
		for ctx.Err() == nil {
			due := begin.Add(time.Duration(float64(turn.Add(1)-1) / rate * float64(time.Second)))
			if due.Sub(begin) > d {
				return
			}
			seq := l.seq.Add(1) - 1
			if l.limit > 0 && seq >= l.limit {
				return
			}
			time.Sleep(time.Until(due))
			buf = l.form(seq, buf[:0])
			if !l.one(c, s, seq, buf, due) {
				return
			}
		}
	})
}

// one runs one operation and tells whether the connection can go on.
func (l *load) one(c *conn, s *sample, seq int64, request []byte, from time.Time) bool {
	_ = c.SetDeadline(time.Now().Add(answerIn)) // a closed connection fails below
	status, err := c.do(request)
	if err == nil && status == l.want {
		s.ops++
		s.latencies = append(s.latencies, time.Since(from))
		if l.took != nil {
			l.took(seq, c.body)
		}
		return true
	}
	s.errors++
	if s.fault == nil {
		s.fault = err
		if err == nil {
			s.fault = fmt.Errorf("status %d instead of %d: %s", status, l.want, c.body[:min(len(c.body), 300)])
		}
	}
	return err == nil
}

// each runs f on every connection and adds up.
func (l *load) each(begin time.Time, f func(*conn, *sample)) sample {
	parts := make([]sample, len(l.conns))
	var wg sync.WaitGroup
	for i, c := range l.conns {
		wg.Go(func() { f(c, &parts[i]) })
	}
	wg.Wait()
	sum := sample{took: time.Since(begin)}
	for _, p := range parts {
		sum.add(p)
	}
	return sum
}

// add takes in what another sample measured beside or after s; not its time.
func (s *sample) add(o sample) {
	s.ops += o.ops
	s.errors += o.errors
	s.latencies = append(s.latencies, o.latencies...)
	if s.fault == nil {
		s.fault = o.fault
	}
}
