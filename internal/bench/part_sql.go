package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"panshi/internal/db"
	"panshi/internal/id"
)

// group is how many operations a reference commits together: as many as there
// are clients by default, so that it shares a disk flush as the shop does.
const group = 64

// Lengths of what the shop seals, fingerprints and digests, in bytes.
const (
	sealedLen = 62
	indexLen  = 37
)

// rowsSpec says which rows to write, and where.
type rowsSpec struct {
	Place    place  `json:"place"`
	Scenario string `json:"scenario"`
}

// rows is the loop of SQL: what an operation must read and write, and nothing
// else. It opens the database by the shop's own engine, so that both have the
// same pages, caches and flushes.
type rows struct {
	db    db.DB
	skus  []sku
	turn  atomic.Int64 // counts orders and imports, for texts that must differ
	mu    sync.Mutex
	at    int // the SKU that is sold now; guarded by mu
	goods []sold
}

// sku is one of the products with cards.
type sku struct{ id, merchant, product id.ID }

// sold is a delivered order of the history.
type sold struct {
	no           string
	id, merchant id.ID
}

// errOut says that no cards are left: a turn ends early by it.
var errOut = errors.New("no cards are left")

func newRows(ctx context.Context, raw []byte) (worker, error) {
	var spec rowsSpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return worker{}, err
	}
	d, closeDB, err := openPlace(ctx, spec.Place)
	if err != nil {
		return worker{}, err
	}
	r := &rows{db: d}
	if err := d.View(db.WithLong(ctx), r.learnTx); err != nil {
		return worker{}, errors.Join(err, closeDB())
	}
	step := map[string]func(context.Context) (int64, error){
		Order: r.orders, Reveal: r.reveals, Import: r.cards,
	}[spec.Scenario]
	side := 1 // SQLite has one writer
	if spec.Place.Engine == db.Postgres {
		side = 2
	}
	return worker{close: closeDB, work: func(ctx context.Context, c command) (int64, error) {
		return beside(side, func() (int64, error) {
			n, err := c.until(ctx, func() (int64, error) { return step(ctx) })
			if errors.Is(err, errOut) {
				err = nil
			}
			return n, err
		})
	}}, nil
}

// beside runs f n times at once and adds up.
func beside(n int, f func() (int64, error)) (sum int64, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range n {
		wg.Go(func() {
			n, err2 := f()
			mu.Lock()
			defer mu.Unlock()
			sum, err = sum+n, errors.Join(err, err2)
		})
	}
	wg.Wait()
	return sum, err
}

func (r *rows) learnTx(tx *db.Tx) (err error) {
	r.skus, err = db.Collect(tx, func(rows db.Rows) (k sku, err error) {
		err = rows.Scan(&k.id, &k.merchant, &k.product)
		return k, err
	}, `SELECT id, merchant_id, product_id FROM skus WHERE code LIKE 'BENCH-%' ORDER BY code`)
	if err != nil {
		return err
	}
	r.goods, err = db.Collect(tx, func(rows db.Rows) (s sold, err error) {
		err = rows.Scan(&s.no, &s.id, &s.merchant)
		return s, err
	}, `SELECT o.order_no, o.id, o.merchant_id FROM orders o WHERE EXISTS
		(SELECT 1 FROM deliveries d WHERE d.order_id = o.id AND d.card_id IS NOT NULL AND d.status = 'delivered') LIMIT 5000`)
	if err == nil && len(r.skus) == 0 {
		err = errors.New("the scratch database has no products to sell")
	}
	return err
}

// selling is the SKU whose cards are being taken.
func (r *rows) selling() (k sku, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at >= len(r.skus) {
		return sku{}, false
	}
	return r.skus[r.at], true
}

// soldOut goes on to the next SKU.
func (r *rows) soldOut(k sku) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at < len(r.skus) && r.skus[r.at].id == k.id {
		r.at++
	}
}

// orders places a group of orders in one transaction.
func (r *rows) orders(ctx context.Context) (int64, error) {
	for {
		k, ok := r.selling()
		if !ok {
			return 0, errOut
		}
		b := r.newBatch()
		err := r.db.Update(ctx, func(tx *db.Tx) error {
			if tx.Engine() == db.Postgres {
				return b.placeSetTx(tx, k)
			}
			return b.placeEachTx(tx, k)
		})
		if !errors.Is(err, errOut) {
			return group, err
		}
		r.soldOut(k)
	}
}

// batch is a group of orders as the shop has prepared them before it opens its
// transaction.
type batch struct {
	ids      []id.ID
	packed   []byte // the ids, one after the other
	first    int64
	sealed   []byte
	index    []byte
	expires  int64
	prefix   string
	keysLive int64
}

func (r *rows) newBatch() batch {
	now := time.Now()
	b := batch{
		first: r.turn.Add(group), sealed: random(sealedLen * group), index: random(indexLen * group),
		expires: now.Add(15 * time.Minute).UnixMilli(), keysLive: now.Add(24 * time.Hour).UnixMilli(), prefix: rand.Text()[:12],
	}
	for range group {
		one := id.New()
		b.ids = append(b.ids, one)
		b.packed = append(b.packed, one[:]...)
	}
	return b
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// placeEachTx writes order by order: on SQLite a statement costs no journey.
func (b batch) placeEachTx(tx *db.Tx, k sku) error {
	now := db.Millis(tx.Now())
	for i, order := range b.ids {
		no := fmt.Sprintf("B%s%010d", b.prefix, b.first+int64(i))
		index, sealed := b.index[i*indexLen:(i+1)*indexLen], b.sealed[i*sealedLen:(i+1)*sealedLen]
		var title, status, mode string
		var price, available int64
		err := tx.Get([]any{&title, &status, &price, &mode, &available}, quote, k.id, k.merchant)
		if err != nil {
			return err
		}
		for _, s := range []statement{
			{`INSERT INTO idempotency_keys (merchant_id, scope, key, body_digest, subject_id, expires_at)
				VALUES ($1, 'order', $2, $3, $4, $5)`, []any{k.merchant, no, index, order, b.keysLive}},
			{`INSERT INTO order_numbers (order_no, merchant_id, order_id) VALUES ($1, $2, $3)`, []any{no, k.merchant, order}},
			{
				`INSERT INTO orders (id, merchant_id, order_no, status, currency, total, contact_kind, contact_sealed,
				contact_index, lang, expires_at, due_at, created_at)
				VALUES ($1, $2, $3, 'pending', 'CNY', $4, 'email', $5, $6, 'zh-CN', $7, $8, $9)`,
				[]any{order, k.merchant, no, price, sealed, index, b.expires, b.expires, now},
			},
			{
				`INSERT INTO order_lines (order_id, line_no, merchant_id, product_id, sku_id, kind, title, quantity,
				unit_price, amount, stock_mode, limited)
				VALUES ($1, 1, $2, $3, $4, 'card', $5, 1, $6, $7, 'cards', 0)`,
				[]any{order, k.merchant, k.product, k.id, title, price, price},
			},
			{
				`UPDATE cards SET status = 'held', order_id = $1 WHERE id IN (SELECT id FROM cards
				WHERE sku_id = $2 AND merchant_id = $3 AND status = 'available' ORDER BY sku_id, id LIMIT 1)`,
				[]any{order, k.id, k.merchant},
			},
			{`UPDATE stock SET available = available - 1, held = held + 1, updated_at = $1
				WHERE sku_id = $2 AND merchant_id = $3 AND available >= 1`, []any{now, k.id, k.merchant}},
		} {
			if n, err := tx.Exec(s.text, s.args...); err != nil || n != 1 {
				return outOr(err)
			}
		}
	}
	return nil
}

func outOr(err error) error {
	if err == nil {
		return errOut
	}
	return err
}

const quote = `SELECT p.title, p.status, k.price, s.mode, s.available FROM skus k JOIN products p ON p.id = k.product_id
	JOIN stock s ON s.sku_id = k.id JOIN merchants m ON m.id = k.merchant_id WHERE k.id = $1 AND k.merchant_id = $2`
