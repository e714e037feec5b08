package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"panshi/internal/adminsock"
)

// run is the state of one whole run.
type run struct {
	*workshop
	report Report
	shop   *shop   // of the size under way
	paid   []order // delivered orders of it
}

// Run measures what cfg says. say is told in words what is being done. What was
// measured before an error is in the report all the same.
func Run(ctx context.Context, cfg Config, say func(text string)) (report Report, err error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	begin := time.Now()
	w, err := newWorkshop(ctx, cfg, say)
	if err != nil {
		return Report{}, err
	}
	r := &run{workshop: w, report: Report{
		Date: begin.UTC().Truncate(time.Second), Build: cfg.Build, Machine: machine(), Clients: cfg.Clients,
		Rounds: cfg.Rounds, Seconds: cfg.Time.Seconds(), LoadAvg: loadAvg(), Problems: []string{},
		Results: []Result{}, Figures: []Figure{},
	}}
	for _, size := range slices.Sorted(slices.Values(cfg.Sizes)) {
		if err = r.size(ctx, size); err != nil {
			break
		}
	}
	if err == nil && cfg.has(Callback) {
		err = r.crypto()
	}
	r.report.Finished, r.report.TookS = err == nil, time.Since(begin).Seconds()
	return r.report, errors.Join(err, w.close())
}

// size measures everything at one size.
func (r *run) size(ctx context.Context, size int64) error {
	s, err := r.newShop(size, r.budget())
	if err != nil {
		return err
	}
	r.shop, r.paid = s, nil
	if err := r.store.copy(r.refName(), s.name); err != nil {
		return err
	}
	steps := []struct {
		needs []string
		do    func(context.Context) error
	}{
		{[]string{List, Detail, Order, SoldOut}, r.open},
		{[]string{List}, r.list},
		{[]string{Detail}, r.detail},
		{[]string{Order}, r.orders},
		{[]string{SoldOut}, r.soldOut},
		{[]string{List, Detail, Order, SoldOut}, r.shut},
		{[]string{Callback, Reveal}, r.openIdle},
		{[]string{Callback}, r.callbacks},
		{[]string{Reveal}, r.reveals},
		{[]string{Callback, Reveal}, r.shut},
		{[]string{Import}, r.imports},
		{[]string{Start, Memory}, r.starts},
		{Durability(), r.durability},
	}
	for _, step := range steps {
		if !slices.ContainsFunc(step.needs, r.cfg.has) {
			continue
		}
		r.report.SpinMS = append(r.report.SpinMS, ms(spin()))
		if err := errors.Join(ctx.Err(), step.do(ctx)); err != nil {
			return err
		}
	}
	if n := diskSize(s.data()); n > 0 {
		r.figure(Figure{"data", size, mb(n), "MB", "database files at the end"})
	}
	return errors.Join(r.store.drop(s.name), r.store.drop(r.refName()))
}

func (r *run) refName() string { return r.shop.name + "-ref" }

// budget is how many cards the orders of one size can take: the fastest that
// is likely, for all that is measured with orders.
func (r *run) budget() int64 {
	var n int64
	if r.cfg.has(Order) {
		n += int64(r.cfg.Time.Seconds()*2*likelyOrders) + 3000
	}
	for _, scenario := range Durability() {
		if r.cfg.has(scenario) {
			n += int64(r.cfg.Time.Seconds()*2*likelyOrders) + 3000
		}
	}
	if r.cfg.has(Full) {
		n += likelyDuringFull
	}
	if r.cfg.has(Callback) || r.cfg.has(Reveal) {
		n += r.callbackBudget()
	}
	return n + 1
}

// likelyOrders is a second's orders on a fast machine; a turn ends early where
// there are more.
const likelyOrders = 10_000

// likelyDuringFull is how many are placed while two whole copies are written.
const likelyDuringFull = 100_000

// open starts the shop as it is in production.
func (r *run) open(context.Context) error {
	if err := r.shop.start(); err != nil {
		return err
	}
	if r.report.Engine != "" {
		return nil
	}
	return r.shop.admin(func(c *adminsock.Client) error {
		status, err := c.Status(r.ctx)
		r.report.Engine = status.Engine
		return err
	})
}

// openIdle starts it without its worker, which would ask the platform about
// every payment that waits for its callback.
func (r *run) openIdle(context.Context) error { return r.shop.start("worker=off") }

func (r *run) shut(context.Context) error {
	own, files := memory(r.shop.pid())
	if !slices.ContainsFunc(r.report.Figures, func(f Figure) bool { return f.Name == "memory_loaded" && f.Size == r.shop.behind }) {
		r.figure(Figure{"memory_loaded", r.shop.behind, mb(own + files), "MB", "resident right after the load, pages of files included"})
	}
	return r.shop.stop()
}

func (r *run) figure(f Figure) { r.report.Figures = append(r.report.Figures, f) }

func mb(n int64) float64 { return float64(n) / (1 << 20) }

// duel finishes a scenario and keeps its result.
func (r *run) duel(ctx context.Context, d *duel, problems []string) error {
	if err := d.fight(ctx, r.cfg.Rounds, r.cfg.round()); err != nil {
		return err
	}
	r.keep1(d.result, problems)
	return nil
}

// keep1 keeps a result, and one of its problems as a sample.
func (r *run) keep1(result Result, problems []string) {
	r.report.Results = append(r.report.Results, result)
	if len(problems) > 0 {
		r.report.Problems = append(r.report.Problems, fmt.Sprintf("%s at %d: %s", result.Scenario, result.Size, problems[0]))
	}
	r.say(fmt.Sprintf("%s at %d: %.0f/s, reference %.0f/s, ratio %.3f ±%.1f%%", result.Scenario, result.Size,
		result.Rate, result.RefRate, result.Ratio, result.Noise*100))
}

func loadAvg() string {
	raw, err := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(raw))
	if err != nil || len(f) < 3 {
		return ""
	}
	return strings.Join(f[:3], " ")
}
