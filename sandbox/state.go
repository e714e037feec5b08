package sandbox

import (
	"container/heap"
	"fmt"
	"iter"
	"slices"
)

// orderKey identifies a trade: order numbers are unique within a merchant only.
type orderKey struct{ channel, mchID, no string }

// state is everything the platform knows. Entities are immutable once applied: a change is a new value under the
// same key, so that a pointer read under the lock may be used after it. The sandbox's lock guards all fields.
type state struct {
	platform  *platform
	merchants []*merchant
	byMchID   map[string]*merchant
	byAliApp  map[string]*merchant
	byName    map[string]*merchant

	trades  []*trade // index is trade.Seq
	byOrder map[orderKey]int
	byNo    map[string][]int // out_trade_no of any merchant
	byTxn   map[string]int
	byToken map[string]int

	refunds   []*refund // index is refund.Seq
	byRefund  map[orderKey]int
	refundsOf map[int][]int // trade.Seq

	notes   []*note // index is note.Seq
	notesOf map[int][]int
	queue   dueQueue
}

func newState() *state {
	return &state{
		byMchID:   map[string]*merchant{},
		byAliApp:  map[string]*merchant{},
		byName:    map[string]*merchant{},
		byOrder:   map[orderKey]int{},
		byNo:      map[string][]int{},
		byTxn:     map[string]int{},
		byToken:   map[string]int{},
		byRefund:  map[orderKey]int{},
		refundsOf: map[int][]int{},
		notesOf:   map[int][]int{},
	}
}

// apply makes r true in memory. It is the only writer of the maps, for new records and replayed ones alike.
func (st *state) apply(r record) error {
	if r.Platform != nil {
		if err := r.Platform.parse(); err != nil {
			return err
		}
		st.platform = r.Platform
	}
	if r.Merchant != nil {
		if err := st.applyMerchant(r.Merchant); err != nil {
			return err
		}
	}
	if r.Trade != nil {
		if err := st.applyTrade(r.Trade); err != nil {
			return err
		}
	}
	if r.Refund != nil {
		if err := st.applyRefund(r.Refund); err != nil {
			return err
		}
	}
	if r.Note != nil {
		return st.applyNote(r.Note)
	}
	return nil
}

func (st *state) applyMerchant(m *merchant) error {
	if err := m.parse(); err != nil {
		return err
	}
	if st.byMchID[m.MchID] == nil {
		st.merchants = append(st.merchants, m)
	}
	st.byMchID[m.MchID], st.byName[m.Name], st.byAliApp[m.aliAppID()] = m, m, m
	return nil
}

func (st *state) applyTrade(t *trade) error {
	fresh, err := place(&st.trades, t.Seq, t)
	if err != nil {
		return fmt.Errorf("trade: %w", err)
	}
	if fresh {
		st.byOrder[t.key()] = t.Seq
		st.byNo[t.OutTradeNo] = append(st.byNo[t.OutTradeNo], t.Seq)
		st.byToken[t.Token] = t.Seq
	}
	if t.TransactionID != "" {
		st.byTxn[t.TransactionID] = t.Seq
	}
	return nil
}

func (st *state) applyRefund(r *refund) error {
	if r.TradeSeq < 0 || r.TradeSeq >= len(st.trades) {
		return fmt.Errorf("refund %d belongs to no trade", r.Seq)
	}
	fresh, err := place(&st.refunds, r.Seq, r)
	if err != nil {
		return fmt.Errorf("refund: %w", err)
	}
	if fresh {
		t := st.trades[r.TradeSeq]
		st.byRefund[orderKey{t.Channel, t.MchID, r.OutRefundNo}] = r.Seq
		st.refundsOf[r.TradeSeq] = append(st.refundsOf[r.TradeSeq], r.Seq)
	}
	return nil
}

func (st *state) applyNote(n *note) error {
	if n.TradeSeq < 0 || n.TradeSeq >= len(st.trades) || n.RefundSeq >= len(st.refunds) {
		return fmt.Errorf("callback %d belongs to nothing", n.Seq)
	}
	fresh, err := place(&st.notes, n.Seq, n)
	if err != nil {
		return fmt.Errorf("callback: %w", err)
	}
	if fresh {
		st.notesOf[n.TradeSeq] = append(st.notesOf[n.TradeSeq], n.Seq)
	}
	if !n.Done {
		heap.Push(&st.queue, due{at: n.NextAt, rank: n.Rank, seq: n.Seq})
	}
	return nil
}

// place puts v at index seq of list, which is either taken (replaced) or the next one free (fresh).
func place[T any](list *[]T, seq int, v T) (fresh bool, err error) {
	switch {
	case seq < 0 || seq > len(*list):
		return false, fmt.Errorf("sequence %d where %d is next", seq, len(*list))
	case seq < len(*list):
		(*list)[seq] = v
		return false, nil
	}
	*list = append(*list, v)
	return true, nil
}

// records yields the state in an order in which it can be replayed.
func (st *state) records() iter.Seq[record] {
	return func(yield func(record) bool) {
		ok := yield(record{Platform: st.platform})
		for i := 0; ok && i < len(st.merchants); i++ {
			ok = yield(record{Merchant: st.byMchID[st.merchants[i].MchID]})
		}
		for i := 0; ok && i < len(st.trades); i++ {
			ok = yield(record{Trade: st.trades[i]})
		}
		for i := 0; ok && i < len(st.refunds); i++ {
			ok = yield(record{Refund: st.refunds[i]})
		}
		for i := 0; ok && i < len(st.notes); i++ {
			ok = yield(record{Note: st.notes[i]})
		}
	}
}

// order finds a trade of WeChat Pay, tradeOf one of either channel.
func (st *state) order(mchID, no string) *trade { return st.tradeOf("", mchID, no) }

func (st *state) tradeOf(channel, mchID, no string) *trade {
	return at(st.trades, st.byOrder, orderKey{channel, mchID, no})
}

func (st *state) transaction(mchID, id string) *trade {
	if t := at(st.trades, st.byTxn, id); t != nil && t.MchID == mchID {
		return t
	}
	return nil
}

func (st *state) refund(mchID, no string) *refund {
	return at(st.refunds, st.byRefund, orderKey{"", mchID, no})
}

func (st *state) refundsOfTrade(t *trade) []*refund { return pick(st.refunds, st.refundsOf[t.Seq]) }
func (st *state) notesOfTrade(t *trade) []*note     { return pick(st.notes, st.notesOf[t.Seq]) }

func at[K comparable, T any](list []*T, index map[K]int, key K) *T {
	if i, ok := index[key]; ok {
		return list[i]
	}
	return nil
}

func pick[T any](list []*T, indexes []int) []*T {
	out := make([]*T, 0, len(indexes))
	for i := range slices.Values(indexes) {
		out = append(out, list[i])
	}
	return out
}
