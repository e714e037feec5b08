package pgship

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"panshi/internal/backup/pgwal"
	"panshi/internal/backup/spool"
	"panshi/internal/db/pgstream"
	"panshi/internal/errs"
)

// session streams until something fails, or, when closing, until the spool has
// what the server had then.
func (s *Shipper) session(ctx context.Context) error {
	c, err := pgstream.Connect(ctx, s.cfg.URL)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // what it brought is in the spool, or comes again
	server, err := c.Identify(ctx)
	if err != nil {
		return err
	}
	from, err := s.prepare(ctx, c, server)
	if err != nil {
		return err
	}
	if err := c.Start(ctx, s.cfg.Slot, from, server.Timeline); err != nil {
		return err
	}
	s.resumes(server.End)
	return s.receive(ctx, c, from)
}

// prepare finds out from where the log has to come, and begins a new generation
// if that of the spool cannot go on.
func (s *Shipper) prepare(ctx context.Context, c *pgstream.Conn, server pgstream.Server) (pgstream.LSN, error) {
	slot, err := c.Slot(ctx, s.cfg.Slot)
	if err != nil {
		return 0, err
	}
	if most := pgstream.LSN(s.cfg.SlotMax); most > 0 && slot.Restart > 0 && server.End > slot.Restart+most {
		s.log.Error("backup: the server keeps too much for a spool that takes nothing; the slot is dropped, and the history has a hole",
			slog.String("slot", s.cfg.Slot), slog.Uint64("bytes", uint64(server.End-slot.Restart)))
		if err := c.DropSlot(ctx, s.cfg.Slot); err != nil {
			return 0, err
		}
		s.breaks("backup_slot_dropped")
		slot = pgstream.Slot{}
	}
	if err := s.spool.Probe(); err != nil {
		return 0, err // a slot for a spool that takes nothing would fill the server
	}
	head := pgwal.Head{System: server.System, Timeline: server.Timeline, Segment: server.Segment, Major: server.Major}
	generation, end, why := s.last(ctx, head)
	if why == "" && slot.Restart > 0 && slot.Restart <= end && end <= server.End {
		s.begins(generation, head, end)
		return end, nil
	}
	return s.renew(ctx, c, slot, head, why)
}

// last is the generation that the spool ends with, and where; why tells why it
// cannot go on with a server.
func (s *Shipper) last(ctx context.Context, server pgwal.Head) (generation string, end pgstream.LSN, why string) {
	files, err := s.spool.List(ctx, "")
	if err != nil || len(files) == 0 {
		return "", 0, "backup_first_generation"
	}
	newest := spool.File{Generation: files[len(files)-1].Generation}
	for _, f := range files {
		if f.Generation == newest.Generation && f.Level != spool.SnapshotLevel && f.Last > newest.Last {
			newest = f
		}
	}
	if newest.Last == 0 {
		return "", 0, "backup_first_generation"
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

// renew begins a generation at the beginning of the segment from which on the
// slot keeps the log.
func (s *Shipper) renew(ctx context.Context, c *pgstream.Conn, slot pgstream.Slot, head pgwal.Head, why string) (pgstream.LSN, error) {
	if why == "" {
		why = "backup_slot_lost"
	}
	if slot.Exists && slot.Restart == 0 {
		if err := c.DropSlot(ctx, s.cfg.Slot); err != nil {
			return 0, err
		}
	}
	if slot.Restart == 0 {
		if err := c.CreateSlot(ctx, s.cfg.Slot); err != nil {
			return 0, err
		}
		var err error
		if slot, err = c.Slot(ctx, s.cfg.Slot); err != nil {
			return 0, err
		}
	}
	files, err := s.spool.List(ctx, "")
	if err != nil {
		return 0, err
	}
	var known []string
	for _, f := range files {
		known = append(known, f.Generation)
	}
	from := slot.Restart - slot.Restart%pgstream.LSN(head.Segment)
	next := spool.NextGeneration(known...)
	if why != "backup_first_generation" {
		s.breaks(why)
	}
	s.log.Warn("backup: a new generation begins with a whole copy", slog.String("generation", next), slog.String("because", why))
	s.begins(next, head, from)
	return from, nil
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

// begins notes that a generation goes on, or begins, at a position.
func (s *Shipper) begins(generation string, head pgwal.Head, from pgstream.LSN) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.live, s.state.generation, s.state.head, s.state.spooled = true, generation, head, from
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
		return nil //nolint:nilerr // the server is gone: there is no more
	}
	server, err := other.Identify(ctx)
	if err := errors.Join(err, other.Close()); err != nil {
		return nil //nolint:nilerr // the same
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
