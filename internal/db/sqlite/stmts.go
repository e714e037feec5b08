package sqlite

import (
	"container/list"
	"context"
	"database/sql"
)

// stmt is a prepared statement.
type stmt struct {
	*sql.Stmt
	query  string
	params int
	busy   bool          // its rows are being read: it must not run again until they are closed
	place  *list.Element // in stmtCache.used; nil if it is to be closed after use
}

// stmtCache keeps the statements that a connection used last. It belongs to
// the goroutine that owns the connection.
type stmtCache struct {
	conn   *sql.Conn
	limit  int
	byText map[string]*stmt
	used   *list.List // of *stmt, the latest in front
}

func newStmtCache(conn *sql.Conn, limit int) *stmtCache {
	return &stmtCache{conn: conn, limit: limit, byText: make(map[string]*stmt), used: list.New()}
}

// take returns query's statement; give it back with release.
func (c *stmtCache) take(query string) (*stmt, error) {
	known := c.byText[query]
	if known != nil && !known.busy {
		known.busy = true
		c.used.MoveToFront(known.place)
		return known, nil
	}
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	if known == nil {
		s.place = c.used.PushFront(s)
		c.byText[query] = s
		c.evict()
	}
	return s, nil
}

func (c *stmtCache) prepare(query string) (*stmt, error) {
	params, err := inspect(query)
	if err != nil {
		return nil, err
	}
	prepared, err := c.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, translate(err, query)
	}
	return &stmt{Stmt: prepared, query: query, params: params, busy: true}, nil
}

// release ends a use.
func (c *stmtCache) release(s *stmt) {
	s.busy = false
	if s.place == nil {
		_ = s.Close() // finalizing repeats the statement's own error, which is known
	}
}

// evict closes the statements unused for longest beyond the limit.
func (c *stmtCache) evict() {
	for e := c.used.Back(); e != nil && c.used.Len() > c.limit; {
		s, before := e.Value.(*stmt), e.Prev() //nolint:forcetypeassert // only take puts here
		if !s.busy {
			c.used.Remove(e)
			delete(c.byText, s.query)
			_ = s.Close() // nothing ran since its last use
		}
		e = before
	}
}

func (c *stmtCache) close() {
	for _, s := range c.byText {
		_ = s.Close() // the connection closes next
	}
	clear(c.byText)
	c.used.Init()
}
