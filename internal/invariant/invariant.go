package invariant

// Invariant is one named rule, told as the query that finds its violations.
type Invariant struct {
	Name  string // stable, dotted: "stock.counters_equal_cards"
	About string // one English sentence: what holds
	// Query selects one row a violation: the subject (text or id) and a detail
	// (text). It takes no parameters, is portable SQL, and returns nothing on
	// a sound shop. It must never select a sealed column.
	Query string
}
