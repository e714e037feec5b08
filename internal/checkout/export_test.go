package checkout

import (
	"context"
	"errors"
	"strconv"

	"panshi/internal/payment"
)

// ErrAlone is how a batch leaves a request to the single path.
var ErrAlone = errAlone

// PlaceTogether places orders in one batch and tells what became of each.
func (s *Service) PlaceTogether(ctx context.Context, requests []PlaceRequest) ([]Placed, []error, error) {
	batch := make([]placing, len(requests))
	for i, r := range requests {
		p, err := s.checked(r)
		if err != nil {
			return nil, nil, err
		}
		if batch[i], err = s.sealed(p); err != nil {
			return nil, nil, err
		}
	}
	results, err := s.placeMany(ctx, batch)
	placed, failures := make([]Placed, len(requests)), make([]error, len(requests))
	for i, r := range results {
		placed[i], failures[i] = Placed{Order: r.order, Lines: r.lines}, r.err
	}
	return placed, failures, err
}

// TakeFrom gives what is taken from payments that have so much left, with 0 for
// those before the last that give nothing.
func TakeFrom(left []int64, want int64) []int64 {
	back := make([]giveBack, len(left))
	for i, minor := range left {
		back[i].payment.No, back[i].amount.Minor = strconv.Itoa(i), minor
	}
	var takes []int64
	for _, g := range takeFrom(back, want) {
		for strconv.Itoa(len(takes)) != g.payment.No {
			takes = append(takes, 0)
		}
		takes = append(takes, g.amount.Minor)
	}
	return takes
}

// Told is a report and the account that it came through.
type Told struct {
	Account payment.Account
	Report  payment.Report
}

// SettleTogether settles reports in one batch. The outcome of one that is left
// to the single path is "alone".
func (s *Service) SettleTogether(ctx context.Context, told []Told) ([]Outcome, error) {
	batch := make([]settling, len(told))
	for i, r := range told {
		batch[i] = settling{account: r.Account, report: r.Report, by: "callback", origin: originOf(ctx)}
	}
	results, err := s.settleMany(ctx, batch)
	outcomes := make([]Outcome, len(results))
	for i, r := range results {
		outcomes[i] = r.outcome
		switch {
		case errors.Is(r.err, errAlone):
			outcomes[i] = "alone"
		case r.err != nil:
			return nil, r.err
		}
	}
	return outcomes, err
}
