package db

import "context"

type staleKey struct{}

// WithStale marks ctx for reads that may be a little old: shelves, searches,
// reports. Where the shop has read replicas, a View under it may run on one
// that is not too far behind. Whoever may just have changed what he reads
// (a buyer and the own order, staff and what they edit) must not be under it,
// nor what fills a cache that a version guards.
func WithStale(ctx context.Context) context.Context {
	return context.WithValue(ctx, staleKey{}, true)
}

// IsStale tells engines whether WithStale marked ctx.
func IsStale(ctx context.Context) bool {
	stale, _ := ctx.Value(staleKey{}).(bool)
	return stale
}
