package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"time"

	"panshi/internal/backup/drill"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
	"panshi/internal/checkout"
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// drillShop is a restored shop in a scratch directory. It runs no sweep and no
// job, so that it asks no platform and tells nobody anything.
type drillShop struct {
	*Shop

	cfg    Config
	server RestoredServer
	end    func() error // of the server
	dir    string       // all of it
	log    *slog.Logger
	closed bool
}

var _ drill.Shop = (*drillShop)(nil)

func (s *drillShop) open(ctx context.Context) (err error) {
	s.Shop, s.end, err = s.server.open(ctx, s.cfg, s.log)
	return err
}

// DB implements drill.Shop.
func (s *drillShop) DB() db.DB { return s.Shop.db }

// Place implements drill.Shop.
func (s *drillShop) Place(ctx context.Context, merchantID, sku id.ID) (orderNo string, err error) {
	key := id.New().String()
	digest := sha256.Sum256([]byte(key))
	placed, err := s.checkout.Place(ctx, checkout.PlaceRequest{
		MerchantID: merchantID, Key: key, BodyDigest: digest[:], Lines: []checkout.PlaceLine{{SKUID: sku, Quantity: 1}},
		Contact: order.Contact{Kind: order.Email, Value: "drill@example.invalid"}, Lang: "zh-CN",
	})
	return placed.Order.No, err
}

// Unseal implements drill.Shop.
func (s *drillShop) Unseal(card id.ID, sealed []byte) error {
	content, err := s.vault.Unseal(vault.Cards, stock.CardCell(card), sealed)
	clear(content)
	return err
}

// Check implements drill.Shop.
func (s *drillShop) Check(ctx context.Context) (invariants, violations int, err error) {
	report, err := s.Shop.Check(ctx, func(string, int, int) {})
	return len(report.Results), report.Violations, err
}

// Close implements drill.Shop.
func (s *drillShop) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	return errors.Join(s.Shop.Close(), s.end(), os.RemoveAll(s.dir))
}

// bringCards places the bundle of card keys and opens the shop again.
func (s *drillShop) bringCards(ctx context.Context, reader seal.Reader, sealed []byte) error {
	if err := errors.Join(s.Shop.Close(), s.end()); err != nil {
		return err
	}
	// Open again whatever comes of it: Close needs an open shop.
	return errors.Join(placeCards(vault.Config(s.cfg.Vault), reader, sealed), s.open(ctx))
}

// olderFulls is a source without its younger whole copies: whoever restores from
// it replays the log.
type olderFulls struct {
	restore.Source

	before time.Time
}

// List implements restore.Source.
func (o olderFulls) List(ctx context.Context, after spool.Name) ([]spool.File, error) {
	files, err := o.Source.List(ctx, after)
	var left []spool.File
	for _, f := range files {
		if f.Level != spool.SnapshotLevel || f.Time.Before(o.before) {
			left = append(left, f)
		}
	}
	return left, err
}
