package postgres

import (
	"container/list"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// stmtLimit is how many prepared statements a connection keeps.
const stmtLimit = 400

// The names under which a connection carries what is ours.
const (
	linkKey    = "panshi.link"
	warningKey = "panshi.warning"
)

// stmt is a prepared statement of one connection.
type stmt struct {
	query   string
	desc    *pgconn.StatementDescription
	formats []int16 // of its results
	place   *list.Element
}

// link is what a connection keeps between transactions: its prepared
// statements. It belongs to the transaction that has the connection.
type link struct {
	pg     *pgconn.PgConn
	byText map[string]*stmt
	used   *list.List // of *stmt, the latest in front
	names  int64
}

// linkOf finds a connection's link, or makes it.
func linkOf(c *pgxpool.Conn) *link {
	pg := c.Conn().PgConn()
	if l, ok := pg.CustomData()[linkKey].(*link); ok {
		return l
	}
	l := &link{pg: pg, byText: make(map[string]*stmt), used: list.New()}
	pg.CustomData()[linkKey] = l
	return l
}

// known returns query's statement if it is prepared.
func (l *link) known(query string) *stmt {
	s := l.byText[query]
	if s != nil {
		l.used.MoveToFront(s.place)
	}
	return s
}

// parse prepares query, which inspect has passed, and keeps it.
func (l *link) parse(ctx context.Context, query string, limit time.Duration) (*stmt, error) {
	l.names++
	name := "s" + strconv.FormatInt(l.names, 10)
	p := l.pipeline(ctx, limit)
	if l.used.Len() >= stmtLimit {
		p.SendDeallocate(l.evict())
	}
	p.SendPrepare(name, query, nil)
	desc, err := described(p)
	if err != nil {
		return nil, err
	}
	desc.Name = name
	s := &stmt{query: query, desc: desc, formats: resultFormats(desc.Fields)}
	s.place = l.used.PushFront(s)
	l.byText[query] = s
	return s, nil
}

// described sends what is queued and returns the last description.
func described(p *pgconn.Pipeline) (desc *pgconn.StatementDescription, err error) {
	err = p.Sync()
	for err == nil {
		var result any
		if result, err = p.GetResults(); err != nil || result == nil {
			break
		}
		if d, ok := result.(*pgconn.StatementDescription); ok {
			desc = d
		}
	}
	if closing := p.Close(); err == nil {
		err = closing
	}
	if err == nil && desc == nil {
		err = errors.New("db: the server did not describe a statement")
	}
	return desc, err
}

// evict forgets the statement unused for longest and returns its name.
func (l *link) evict() string {
	e := l.used.Back()
	s := e.Value.(*stmt) //nolint:forcetypeassert // only parse puts here
	l.used.Remove(e)
	delete(l.byText, s.query)
	return s.desc.Name
}

// pipeline begins a round trip. The connection is given up if the server has
// not answered well after limit: then it is not there any more.
func (l *link) pipeline(ctx context.Context, limit time.Duration) *pgconn.Pipeline {
	_ = l.pg.Conn().SetDeadline(time.Now().Add(limit + grace)) // a closed connection tells at the next use
	return l.pg.StartPipeline(ctx)
}

// control runs one of the engine's own statements and returns its tag.
func (l *link) control(ctx context.Context, query string, limit time.Duration) (string, error) {
	p := l.pipeline(ctx, limit)
	p.SendQueryParams(query, nil, nil, nil, nil)
	err := p.Sync()
	tag := ""
	for err == nil {
		var result any
		if result, err = p.GetResults(); err != nil || result == nil {
			break
		}
		if reader, ok := result.(*pgconn.ResultReader); ok {
			var done pgconn.CommandTag
			done, err = reader.Close()
			tag = done.String()
		}
	}
	if closing := p.Close(); err == nil {
		err = closing
	}
	return tag, err
}

// noteWarning remembers that the server warned: during COMMIT that means that
// a standby may not have what the server itself has.
func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		c.CustomData()[warningKey] = n.Message
	}
}

// warning takes what the server warned of since the last call.
func (l *link) warning() string {
	text, _ := l.pg.CustomData()[warningKey].(string)
	delete(l.pg.CustomData(), warningKey)
	return text
}
