package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// side runs one side of a scenario for a time.
type side func(ctx context.Context, d time.Duration) (sample, error)

// duel is one scenario: shop against reference.
type duel struct {
	result   Result
	shop     side
	ref      side
	shopPID  int
	refPID   int
	serverID int // the database server; 0 if there is none or it cannot be seen
	warm     bool
}

// spent is CPU time so far.
type spent struct{ shop, ref, server, self, busy, stolen time.Duration }

func (d *duel) spent() spent {
	busy, stolen := machineCPU()
	return spent{cpuOf(d.shopPID), cpuOf(d.refPID), cpuOfTree(d.serverID), cpuOfSelf(), busy, stolen}
}

// fight runs the rounds: shop, reference, reference, shop, and so on, so that
// what drifts meets both alike.
func (d *duel) fight(ctx context.Context, rounds int, each time.Duration) error {
	if !d.warm {
		for _, s := range []side{d.shop, d.ref} {
			if _, err := s(ctx, min(each, 500*time.Millisecond)); err != nil {
				return err
			}
		}
	}
	var total sample
	var cpu CPU
	var refOps int64
	before, begin := d.spent(), time.Now()
	for i := range rounds {
		var round Round
		for _, ours := range [2]bool{i%2 == 0, i%2 != 0} {
			at := d.spent()
			if ours {
				s, err := d.shop(ctx, each)
				if err != nil {
					return err
				}
				now := d.spent()
				cpu.Shop += us(now.shop - at.shop)
				cpu.DB += us(now.server - at.server)
				cpu.Load += us(now.self - at.self)
				round.Rate = s.rate()
				total.add(s)
				continue
			}
			s, err := d.ref(ctx, each)
			if err != nil {
				return fmt.Errorf("the reference of %s: %w", d.result.Scenario, err)
			}
			cpu.Ref += us(d.spent().ref - at.ref)
			round.RefRate = s.rate()
			refOps += s.ops
		}
		d.result.Rounds = append(d.result.Rounds, round)
	}
	d.conclude(total, cpu, refOps)
	d.blame(before, begin)
	return ctx.Err()
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (d *duel) conclude(total sample, cpu CPU, refOps int64) {
	r := &d.result
	r.Ops, r.Errors, r.Latency = total.ops, total.errors, latencyOf(total.latencies)
	ops, refs := float64(max(1, total.ops)), float64(max(1, refOps))
	r.CPU = CPU{cpu.Shop / ops, cpu.Load / ops, cpu.DB / ops, cpu.Ref / refs}
	if d.serverID == 0 {
		r.CPU.DB = 0
	}
	r.settle()
}

// blame tells how much of the machine others had meanwhile.
func (d *duel) blame(before spent, begin time.Time) {
	now := d.spent()
	whole := float64(time.Since(begin)) * float64(runtime.NumCPU())
	ours := (now.shop - before.shop) + (now.ref - before.ref) + (now.server - before.server) + (now.self - before.self)
	d.result.Others = max(0, float64(now.busy-before.busy-ours)/whole)
	d.result.Stolen = float64(now.stolen-before.stolen) / whole
}

// byLoad is a side that a load generator drives.
func byLoad(l *load, problems *[]string) side {
	return func(ctx context.Context, d time.Duration) (sample, error) {
		s := l.closed(ctx, d)
		if s.fault != nil {
			*problems = append(*problems, s.fault.Error())
		}
		return s, ctx.Err()
	}
}

// byPart is a side that a child runs by itself.
func byPart(c *child) side {
	return func(ctx context.Context, d time.Duration) (sample, error) {
		r, err := c.ask(ctx, command{Nanos: d})
		return sample{ops: r.Ops, took: max(r.Nanos, 1)}, err
	}
}
