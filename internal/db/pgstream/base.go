package pgstream

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"panshi/internal/errs"
)

// Base is a copy of the server under way.
type Base struct {
	Start    LSN // recovery begins here
	Timeline uint32

	conn *Conn
	part byte // what data messages belong to: 'n' an archive, 'm' the manifest
}

// Base asks for a copy of the whole server under a label, without the log; fast
// has the server make its checkpoint at once instead of gently. The connection
// is for nothing else until Next has said that it is whole.
func (c *Conn) Base(ctx context.Context, label string, fast bool) (*Base, error) {
	pace := "spread"
	if fast {
		pace = "fast"
	}
	command := fmt.Sprintf("BASE_BACKUP (LABEL '%s', CHECKPOINT '%s', WAIT false, MANIFEST 'yes')", label, pace)
	if err := c.send(&pgproto3.Query{String: command}); err != nil {
		return nil, err
	}
	b := &Base{conn: c}
	rows := 0
	for {
		m, err := c.pg.ReceiveMessage(ctx)
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			if rows++; rows == 1 {
				err = b.begins(m.Values)
			} else if rows > 2 {
				err = errs.New(errs.Unavailable, "backup_tablespaces", "a server with tablespaces of its own is not backed up; move everything to pg_default")
			}
			if err != nil {
				return nil, err
			}
		case *pgproto3.CopyOutResponse:
			return b, nil
		case *pgproto3.ErrorResponse:
			return nil, pgconn.ErrorResponseToPgError(m)
		}
	}
}

func (b *Base) begins(row [][]byte) error {
	start, timeline, err := position(row)
	b.Start, b.Timeline = start, timeline
	return err
}

func position(row [][]byte) (LSN, uint32, error) {
	if len(row) < 2 {
		return 0, 0, fmt.Errorf("pgstream: %q is no position", row)
	}
	at, ok := ParseLSN(string(row[0]))
	timeline, err := strconv.ParseUint(string(row[1]), 10, 32)
	if err != nil || !ok {
		return 0, 0, fmt.Errorf("pgstream: %q is no position", row)
	}
	return at, uint32(timeline), nil
}

// stall is how long a server that copies itself may send nothing.
const stall = 2 * time.Minute

// Next gives the next bytes of the archive (tar), or of the manifest, valid until
// the next call. After the last ones it gives none, and where the log ends that
// the copy needs.
func (b *Base) Next(ctx context.Context) (data []byte, manifest bool, end LSN, err error) {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	for {
		m, err := b.conn.pg.ReceiveMessage(ctx)
		if err != nil {
			return nil, false, 0, err
		}
		switch m := m.(type) {
		case *pgproto3.CopyData:
			if data, ok := b.payload(m.Data); ok {
				return data, b.part == 'm', 0, nil
			}
		case *pgproto3.DataRow:
			if end, _, err = position(m.Values); err != nil {
				return nil, false, 0, err
			}
		case *pgproto3.ErrorResponse:
			return nil, false, 0, pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			if end == 0 {
				return nil, false, 0, ErrEnded
			}
			return nil, false, end, nil
		}
	}
}

// payload gives the bytes of a data message; others only say what comes.
func (b *Base) payload(m []byte) ([]byte, bool) {
	if len(m) == 0 {
		return nil, false
	}
	switch m[0] {
	case 'n', 'm':
		b.part = m[0]
	case 'd':
		return m[1:], len(m) > 1
	}
	return nil, false
}
