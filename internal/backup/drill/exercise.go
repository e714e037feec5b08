package drill

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"panshi/internal/backup"
	"panshi/internal/errs"
)

// exercise is one drill that runs.
type exercise struct {
	World
	Options
	report *Report
	random *chance

	newest   time.Time // commit that was acknowledged and had left the database before the disaster
	lag      time.Duration
	disaster time.Time // when it struck
	open     []Shop    // to be taken away at the end
}

// Run runs a drill and says what it came to. An error is the end of ctx: then
// there is no report.
func Run(ctx context.Context, d Drill, w World, o Options) (Report, error) {
	begin := w.Clock.Now()
	r := Report{
		Drill: d.Name, Version: w.Version, Seed: o.Seed, Steps: []Step{}, From: []string{},
		LossGoal: int64(d.Loss), RecoveryGoal: int64(d.Recovery),
	}
	e := &exercise{World: w, Options: o, report: &r, random: &chance{seed: o.Seed}}
	if o.Progress == nil {
		e.Progress = func(string, int64, int64) {}
	}
	err := e.use(o.Destination)
	if err == nil {
		err = d.run(ctx, e)
	}
	err = errors.Join(err, e.tidy())
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	e.judge(err)
	r.At = w.Clock.Now().UTC()
	r.Took = int64(r.At.Sub(begin))
	return r, nil
}

// use keeps the copies that the drill may use, in an order that chance chooses:
// so that in time each of them is tried.
func (e *exercise) use(label string) error {
	e.Copies = slices.Clone(e.Copies)
	if label != "" {
		e.Copies = slices.DeleteFunc(e.Copies, func(c Copy) bool { return c.Label != label })
	}
	if len(e.Copies) == 0 {
		return errNoCopy
	}
	shuffle(e.random, e.Copies)
	return nil
}

// judge gives the verdict.
func (e *exercise) judge(err error) {
	r := e.report
	switch {
	case err != nil:
		r.Failure = errs.CodeOf(err)
		r.Detail = detailOf(err)
	case r.Violations > 0:
		r.Failure, r.Detail = "drill_violations", map[string]string{"count": strconv.Itoa(r.Violations)}
	case r.LossGoal > 0 && (!r.LossKnown || r.Loss > r.LossGoal):
		r.Failure, r.Detail = "drill_loss_over", map[string]string{"loss": lengthOf(r.Loss), "goal": lengthOf(r.LossGoal)}
	case r.Recovery > r.RecoveryGoal:
		r.Failure, r.Detail = "drill_slow", map[string]string{"took": lengthOf(r.Recovery), "goal": lengthOf(r.RecoveryGoal)}
	}
}

// detailOf is what an error tells beside its code.
func detailOf(err error) map[string]string {
	var coded *errs.Error
	if errors.As(err, &coded) {
		return coded.Params
	}
	return map[string]string{"error": err.Error()}
}

// lengthOf writes a time span for people.
func lengthOf(ns int64) string { return time.Duration(ns).Round(time.Millisecond).String() }

func (e *exercise) tidy() error {
	var faults []error
	for _, s := range e.open {
		faults = append(faults, s.Close())
	}
	e.open = nil
	return errors.Join(faults...)
}

// step does one thing and writes down how long it took and whether it failed.
func (e *exercise) step(name string, args map[string]string, do func() error) error {
	begin := e.Clock.Now()
	e.Progress(name, 0, 0)
	err := do()
	s := Step{Name: name, Args: args, Took: int64(e.Clock.Now().Sub(begin))}
	if err != nil {
		s.Failure = errs.CodeOf(err)
	}
	e.report.Steps = append(e.report.Steps, s)
	return err
}

// note writes down what took no time.
func (e *exercise) note(name string, args map[string]string) {
	_ = e.step(name, args, func() error { return nil }) // nothing fails
}

// strike has the disaster happen: from now on recovery is measured.
func (e *exercise) strike(ctx context.Context, name string, args map[string]string) {
	at, lag, err := e.Newest(ctx)
	if err == nil {
		e.newest, e.lag = at, lag
	}
	e.note(name, args)
	e.disaster = e.Clock.Now()
}

// recovered ends the measuring of recovery.
func (e *exercise) recovered() { e.report.Recovery = int64(e.Clock.Now().Sub(e.disaster)) }

// restore brings a scratch shop back from the first of the copies that can, and
// takes its checks into the report.
func (e *exercise) restore(ctx context.Context, from []Copy, want Want) (got Restored, used Copy, err error) {
	err = errNoCopy
	for _, used = range from {
		args := map[string]string{"destination": used.Label}
		err = e.step("restore", args, func() error {
			got, err = e.Restore(ctx, used, want, e.Progress)
			if err != nil {
				return err
			}
			e.open = append(e.open, got.Shop)
			args["state"], args["bytes"] = got.Time.UTC().Format(time.RFC3339), strconv.FormatInt(got.Bytes, 10)
			return nil
		})
		if ctx.Err() != nil {
			return got, used, ctx.Err()
		}
		if err == nil {
			e.count(got, used)
			return got, used, nil
		}
	}
	return got, used, err
}

func (e *exercise) count(got Restored, from Copy) {
	r := e.report
	r.Invariants = max(r.Invariants, got.Invariants)
	r.Violations += got.Violations
	if !slices.Contains(r.From, from.Label) {
		r.From = append(r.From, from.Label)
	}
}

// comeBack is the way of most drills: restore, sell, and measure both goals.
func (e *exercise) comeBack(ctx context.Context, from []Copy, want Want) (Restored, Copy, error) {
	got, used, err := e.restore(ctx, from, want)
	if err == nil {
		err = e.sell(ctx, got.Shop)
	}
	if err != nil {
		return got, used, err
	}
	e.recovered()
	e.lost(got.Time)
	return got, used, nil
}

// lost measures how much of what had been acknowledged a state does not have.
func (e *exercise) lost(state time.Time) {
	if e.newest.IsZero() {
		return
	}
	loss := max(0, e.newest.Sub(state)) + e.lag
	e.report.LossKnown, e.report.Loss = true, max(e.report.Loss, int64(loss))
}

// sell has a shop take an order, if there is anything to order.
func (e *exercise) sell(ctx context.Context, s Shop) error {
	args := map[string]string{}
	none := false
	err := e.step("sell", args, func() error {
		no, err := order(ctx, s)
		if none = errs.CodeOf(err) == "drill_nothing_to_sell"; none {
			return nil
		}
		args["order"] = no
		return err
	})
	if none {
		e.report.Steps[len(e.report.Steps)-1].Name = "sell_nothing"
	}
	return err
}

// damaged are scratch copies of the copies, whole until something is done to
// them.
func damaged(copies []Copy) ([]Copy, []*Damage) {
	out, damages := slices.Clone(copies), make([]*Damage, len(copies))
	for i := range out {
		damages[i] = NewDamage(out[i].Dest)
		out[i].Dest = damages[i]
	}
	return out, damages
}

// segments lists those of a destination.
func segments(ctx context.Context, d backup.Destination) (all []backup.Segment, err error) {
	err = d.List(ctx, "seg/", func(o backup.Object) error {
		if s, ok := backup.ParseSegment(o.Name); ok {
			all = append(all, s)
		}
		return nil
	})
	return all, err
}
