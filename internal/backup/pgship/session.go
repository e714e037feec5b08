package pgship

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"panshi/internal/backup/pgwal"
	"panshi/internal/backup/spool"
	"panshi/internal/db/pgstream"
	"panshi/internal/errs"
)

// setup is how long a session may take to begin; a server that hangs answers
// nobody.
const setup = 30 * time.Second

// session streams until something fails, or, when closing, until the spool has
// what the server had then.
func (s *Shipper) session(ctx context.Context) error {
	c, err := pgstream.Connect(ctx, s.cfg.URL)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() //nolint:contextcheck // goodbye to the server, whoever has gone; what it brought is in the spool, or comes again
	if err := s.open(ctx, c); err != nil {
		return err
	}
	return s.receive(ctx, c, s.look().spooled)
}

// open decides where the stream begins, and begins it.
func (s *Shipper) open(ctx context.Context, c *pgstream.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, setup)
	defer cancel()
	server, err := c.Identify(ctx)
	if err != nil {
		return err
	}
	o, err := s.prepare(ctx, c, server)
	if err != nil {
		return err
	}
	if err := c.Start(ctx, s.cfg.Slot, o.from, server.Timeline); err != nil {
		if pgstream.InUse(err) {
			err = errs.Wrap(err, errs.Conflict, "backup_slot_taken", "another machine ships this server by the slot "+s.cfg.Slot)
		}
		return err
	}
	s.begins(o, server.End)
	return nil
}

// firstGeneration is why a spool's first one begins.
const firstGeneration = "backup_first_generation"

// opening is where a session begins.
type opening struct {
	generation string
	head       pgwal.Head
	from       pgstream.LSN
	why        string // a new generation has to begin, "" if none has
}

// prepare finds out from where the log has to come, and whether the generation
// of the spool can go on.
func (s *Shipper) prepare(ctx context.Context, c *pgstream.Conn, server pgstream.Server) (opening, error) {
	slot, err := c.Slot(ctx, s.cfg.Slot)
	if err != nil {
		return opening{}, err
	}
	if most := pgstream.LSN(s.cfg.SlotMax); most > 0 && slot.Restart > 0 && server.End > slot.Restart+most {
		if err := c.DropSlot(ctx, s.cfg.Slot); err != nil {
			return opening{}, err
		}
		s.log.Error("backup: the server keeps too much for a spool that takes nothing; the slot is dropped, and the history has a hole",
			slog.String("slot", s.cfg.Slot), slog.Uint64("bytes", uint64(server.End-slot.Restart)))
		s.breaks("backup_slot_dropped")
		slot = pgstream.Slot{}
	}
	if err := s.spool.Probe(); err != nil {
		return opening{}, err // a slot for a spool that takes nothing would fill the server
	}
	o := opening{head: pgwal.Head{System: server.System, Timeline: server.Timeline, Segment: server.Segment, Major: server.Major}}
	o.generation, o.from, o.why = s.last(ctx, o.head)
	if o.why == "" && slot.Restart > 0 && slot.Restart <= o.from && o.from <= server.End {
		return o, nil
	}
	return s.renew(ctx, c, slot, o)
}

// last is the generation that the spool ends with, and where; why tells why it
// cannot go on with a server.
func (s *Shipper) last(ctx context.Context, server pgwal.Head) (generation string, end pgstream.LSN, why string) {
	files, err := s.spool.List(ctx, "")
	if err != nil || len(files) == 0 {
		return "", 0, firstGeneration
	}
	newest := spool.File{Generation: files[len(files)-1].Generation}
	for _, f := range files {
		if f.Generation == newest.Generation && f.Level != spool.SnapshotLevel && f.Last > newest.Last {
			newest = f
		}
	}
	if newest.Last == 0 {
		return "", 0, firstGeneration
	}
	content, err := s.spool.Read(ctx, newest.Name)
	if err != nil {
		return "", 0, "backup_spool_end_lost"
	}
	defer func() { _ = content.Close() }() // it was only read
	r, err := pgwal.NewReader(content)
	if err == nil {
		_, err = r.End()
	}
	switch {
	case err != nil:
		return "", 0, "backup_spool_end_lost"
	case !r.Head.Same(server):
		return "", 0, "backup_server_changed"
	}
	return newest.Generation, pgstream.LSN(newest.Last), ""
}

// renew opens a generation at the beginning of the segment from which on the
// slot keeps the log.
func (s *Shipper) renew(ctx context.Context, c *pgstream.Conn, slot pgstream.Slot, o opening) (opening, error) {
	if o.why == "" {
		o.why = "backup_slot_lost"
	}
	if slot.Exists && slot.Restart == 0 {
		if err := c.DropSlot(ctx, s.cfg.Slot); err != nil {
			return o, err
		}
	}
	if slot.Restart == 0 {
		if err := c.CreateSlot(ctx, s.cfg.Slot); err != nil {
			return o, err
		}
		var err error
		if slot, err = c.Slot(ctx, s.cfg.Slot); err != nil {
			return o, err
		}
	}
	files, err := s.spool.List(ctx, "")
	if err != nil {
		return o, err
	}
	var known []string
	for _, f := range files {
		known = append(known, f.Generation)
	}
	o.generation, o.from = spool.NextGeneration(known...), slot.Restart-slot.Restart%pgstream.LSN(o.head.Segment)
	return o, nil
}

// breaks notes that a history ended before its time.
func (s *Shipper) breaks(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.broken != "backup_slot_dropped" || why != "backup_slot_lost" { // the second follows from the first
		s.state.broken = why
	}
	s.state.brokenAt = s.clock.Now()
}

// begins notes that the stream of a generation has begun, of a server that has
// its log up to end.
func (s *Shipper) begins(o opening, end pgstream.LSN) {
	if o.why != "" {
		s.log.Warn("backup: a new generation begins with a whole copy", slog.String("generation", o.generation), slog.String("because", o.why))
	}
	if o.why != "" && o.why != firstGeneration {
		s.breaks(o.why)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.live, s.state.generation, s.state.head, s.state.spooled = true, o.generation, o.head, o.from
	s.resumes(end)
}

// receive cuts what comes into pieces. It returns nil when, closing, all is there.
func (s *Shipper) receive(ctx context.Context, c *pgstream.Conn, from pgstream.LSN) error {
	cut := cutter{s: s, conn: c, at: from}
	for {
		round, cancel := context.WithTimeout(ctx, s.cfg.Interval)
		err := cut.fill(round)
		cancel()
		if err != nil && ctx.Err() == nil && !pgstream.Timeout(err) {
			return errors.Join(err, cut.flush(ctx))
		}
		if err := cut.flush(ctx); err != nil {
			return err
		}
		if s.ending(ctx) {
			return cut.rest(ctx)
		}
		if quiet := s.clock.Now().Sub(s.look().heard); quiet > setup {
			return errs.New(errs.Unavailable, "backup_stream_silent", "the server gives no sign of life: "+quiet.String())
		}
	}
}

// cutter gathers a piece.
type cutter struct {
	s    *Shipper
	conn *pgstream.Conn
	at   pgstream.LSN // the beginning of data
	data []byte
	end  pgstream.LSN // the server has flushed as far
}

// fill receives until the time is up or the piece is large enough.
func (c *cutter) fill(ctx context.Context) error {
	for len(c.data) < pieceSize {
		p, err := c.conn.Receive(ctx)
		if err != nil {
			return err
		}
		next := c.at + pgstream.LSN(len(c.data))
		if p.Data != nil && p.Start != next {
			return errs.Wrap(fmt.Errorf("the server sends %s after %s", p.Start, next), errs.Integrity, "backup_stream_gap", "the stream of the server's log has a gap")
		}
		c.end = max(c.end, p.End)
		c.data = append(c.data, p.Data...)
		c.s.hears(c.end)
	}
	return nil
}

// flush puts what came into the spool, and only then tells the server.
func (c *cutter) flush(ctx context.Context) error {
	now := c.s.clock.Now()
	last := c.at + pgstream.LSN(len(c.data))
	current := last >= c.end
	written := int64(0)
	if len(c.data) > 0 {
		st := c.s.look()
		head := st.head
		head.Start = uint64(c.at)
		content, err := pgwal.Piece(head, c.data, pgwal.End{Log: uint64(last), Current: current})
		if err != nil {
			return err
		}
		f, err := c.s.spool.Write(ctx, spool.File{Generation: st.generation, Level: pgwal.LevelPiece, First: uint64(c.at) + 1, Last: uint64(last), Time: now}, content)
		if err != nil {
			return err
		}
		written, c.at, c.data = f.Size, last, c.data[:0]
	}
	c.s.cut(last, written)
	return c.conn.Confirm(last)
}

// rest brings what the server had when closing began.
func (c *cutter) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lastPatience/2)
	defer cancel()
	other, err := pgstream.Connect(ctx, c.s.cfg.URL)
	if err != nil {
		return nil // the server is gone: there is no more
	}
	server, err := other.Identify(ctx)
	if err := errors.Join(err, other.Close()); err != nil { //nolint:contextcheck // goodbye, whoever has gone
		return nil // the same
	}
	for c.at < server.End {
		round, cancel := context.WithTimeout(ctx, firstWait)
		err := c.fill(round)
		cancel()
		if err != nil && !pgstream.Timeout(err) {
			return errors.Join(c.flush(ctx), err)
		}
		if err := c.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}
