package reconcile

import "slices"

// State is where a day stands.
type State string

// The states of the diagram in doc.go.
const (
	Open    State = "open"    // no bill yet, or a run did not end
	Differs State = "differs" // compared, and something does not agree
	Closed  State = "closed"
)

// dayMoves is the diagram as a table: where each state may go.
func dayMoves() map[State][]State {
	return map[State][]State{
		Open:    {Differs, Closed},
		Differs: {Differs, Closed},
		Closed:  {},
	}
}

func (s State) may(next State) bool { return slices.Contains(dayMoves()[s], next) }

// CaseState is where a case stands.
type CaseState string

// The states of the second diagram in doc.go.
const (
	CaseOpen    CaseState = "open"
	CaseAgreed  CaseState = "agreed"  // a later run found nothing that differs
	CaseDecided CaseState = "decided" // a person's decision holds
)

func caseMoves() map[CaseState][]CaseState {
	return map[CaseState][]CaseState{
		CaseOpen:    {CaseAgreed, CaseDecided},
		CaseAgreed:  {CaseOpen},
		CaseDecided: {CaseAgreed, CaseOpen},
	}
}

func (s CaseState) may(next CaseState) bool { return slices.Contains(caseMoves()[s], next) }

// State tells where a case stands.
func (c Case) State() CaseState {
	switch {
	case c.ResolvedAt.IsZero():
		return CaseOpen
	case c.ResolvedBy == bySystem:
		return CaseAgreed
	}
	return CaseDecided
}

// bySystem stands for who resolved a case that agrees by now.
const bySystem = "system"
