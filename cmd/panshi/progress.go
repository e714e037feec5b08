package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// quietTime is the time between two log lines about progress.
const quietTime = 2 * time.Second

// meter shows how far long work came: a bar on a terminal, log lines
// elsewhere. It belongs to one goroutine. End it.
type meter struct {
	t     *terminal
	label string
	bars  *mpb.Progress // nil where nobody watches
	bar   *mpb.Bar      // nil before the first step
	note  atomic.Pointer[string]
	told  time.Time
	clock func() time.Time
}

// newMeter returns a meter for the work that label names.
func newMeter(ctx context.Context, t *terminal, label string) *meter {
	m := &meter{t: t, label: label, clock: time.Now}
	m.told = m.clock()
	if t.live {
		m.bars = mpb.NewWithContext(ctx, mpb.WithOutput(t.err), mpb.WithWidth(48), mpb.WithAutoRefresh())
	}
	return m
}

// step tells that done of total is done. note says what is being done.
func (m *meter) step(done, total int64, note string) {
	m.note.Store(&note)
	if m.bars == nil {
		if now := m.clock(); now.Sub(m.told) >= quietTime {
			m.told = now
			m.line("working", slog.Int64("done", done), slog.Int64("total", total), slog.String("at", note))
		}
		return
	}
	if m.bar == nil {
		m.bar = m.bars.AddBar(0, mpb.PrependDecorators(decor.Name(m.label+" "), decor.Percentage(decor.WCSyncWidth)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + *m.note.Load() })),
			mpb.BarRemoveOnComplete())
	}
	m.bar.SetTotal(max(total, 1), false)
	m.bar.SetCurrent(done)
}

// say tells a step of work whose length nobody knows.
func (m *meter) say(text string) {
	if m.t.live {
		fmt.Fprintf(m.t.err, "%s: %s\n", m.label, oneLine(text))
		return
	}
	m.line(text)
}

// end takes the bar away; the result is told by others.
func (m *meter) end() {
	if m.bar != nil {
		m.bar.Abort(true)
	}
	if m.bars != nil {
		m.bars.Wait()
	}
}

func (m *meter) line(msg string, attrs ...any) {
	m.t.log(slog.LevelInfo).Info(m.label+": "+msg, attrs...)
}
