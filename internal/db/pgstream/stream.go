package pgstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"panshi/internal/clock"
)

// ErrEnded says that the server ended the stream: its timeline ended.
var ErrEnded = errors.New("the stream of the log ended")

// Start begins to stream the log from a position on, which may be what was
// confirmed last. After it only Receive, Confirm and Close may be called.
func (c *Conn) Start(ctx context.Context, slot string, from LSN, timeline uint32) error {
	if err := c.send(&pgproto3.Query{String: fmt.Sprintf("START_REPLICATION SLOT %s PHYSICAL %s TIMELINE %d", slot, from, timeline)}); err != nil {
		return err
	}
	for {
		m, err := c.pg.ReceiveMessage(ctx)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *pgproto3.CopyBothResponse:
			return nil
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			return ErrEnded
		}
	}
}

// sendLimit is how long a server that hangs may leave what we say to it unread.
const sendLimit = 5 * time.Second

func (c *Conn) send(m pgproto3.FrontendMessage) error {
	if err := c.pg.Conn().SetWriteDeadline(clock.System{}.Now().Add(sendLimit)); err != nil {
		return err
	}
	c.pg.Frontend().Send(m)
	return c.pg.Frontend().Flush()
}

// Part is a part of the stream.
type Part struct {
	Start LSN
	Data  []byte // nil: the server only says that it lives. Valid until the next call
	End   LSN    // the server has flushed as far, at least
}

// Receive waits for the next part. A ctx that times out does no harm to the
// stream; see Timeout.
func (c *Conn) Receive(ctx context.Context) (Part, error) {
	for {
		m, err := c.pg.ReceiveMessage(ctx)
		if err != nil {
			return Part{}, err
		}
		switch m := m.(type) {
		case *pgproto3.CopyData:
			if p, ok := part(m.Data); ok {
				return p, nil
			}
		case *pgproto3.ErrorResponse:
			return Part{}, pgconn.ErrorResponseToPgError(m)
		case *pgproto3.CopyDone:
			return Part{}, ErrEnded
		}
	}
}

// Timeout tells whether an error says only that time was up.
func Timeout(err error) bool { return pgconn.Timeout(err) }

// InUse tells whether somebody else has what was asked for.
func InUse(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "55006"
}

// part reads XLogData and primary keepalive messages.
func part(m []byte) (Part, bool) {
	switch {
	case len(m) >= 25 && m[0] == 'w':
		return Part{Start: LSN(binary.BigEndian.Uint64(m[1:])), End: LSN(binary.BigEndian.Uint64(m[9:])), Data: m[25:]}, true
	case len(m) >= 18 && m[0] == 'k':
		end := LSN(binary.BigEndian.Uint64(m[1:]))
		return Part{Start: end, End: end}, true
	}
	return Part{}, false
}

// Confirm says that the log up to a position is safe, so that the slot need not
// keep it, and asks the server for a sign of life.
func (c *Conn) Confirm(flushed LSN) error {
	m := make([]byte, 34)
	m[0] = 'r'
	for _, at := range []int{1, 9, 17} { // written, flushed, applied
		binary.BigEndian.PutUint64(m[at:], uint64(flushed))
	}
	m[33] = 1 // answer, please
	return c.send(&pgproto3.CopyData{Data: m})
}
