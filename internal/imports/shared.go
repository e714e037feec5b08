package imports

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"panshi/internal/audit"
	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// errNotText says that the SKU sells something else.
var errNotText = errs.Field("sku", "sku_not_text", "this SKU does not sell a text")

// sealedContent is a new version of a shared text.
type sealedContent struct {
	id     id.ID
	sealed []byte
}

func (s *Service) sealText(text string) (sealedContent, error) {
	c := sealedContent{id: id.New()}
	var err error
	c.sealed, err = s.vault.Seal(vault.Cards, stock.SharedCell(c.id), []byte(text))
	return c, err
}

// currentText gives the text that a SKU sells now; nil if it has none.
func (s *Service) currentText(ctx context.Context, merchantID id.ID, code string) ([]byte, error) {
	var content id.ID
	var sealed []byte
	err := s.db.View(ctx, func(tx *db.Tx) error {
		content, sealed = id.ID{}, nil
		sku, err := catalog.SKUByCodeTx(tx, merchantID, code)
		if err != nil {
			return err
		}
		if content, err = stock.CurrentSharedTx(tx, merchantID, sku.ID); err != nil || content.IsZero() {
			return err
		}
		sealed, err = stock.SharedContentTx(tx, merchantID, content)
		return err
	})
	if err != nil || content.IsZero() {
		return nil, err
	}
	return s.vault.Unseal(vault.Cards, stock.SharedCell(content), sealed)
}

// SharedText gives a SKU of kind text a new text of 1 to 20,000 bytes, and
// records who did it; orders that were paid before keep theirs. changed is
// false if the SKU has exactly this text. Codes: required, too_long,
// invalid_utf8, control_character, sku_not_found, sku_not_text.
func (s *Service) SharedText(ctx context.Context, merchantID id.ID, skuCode, text string) (changed bool, err error) {
	text = prose(text)
	if err := checkShared(text); err != nil {
		return false, err
	}
	now, err := s.currentText(ctx, merchantID, skuCode)
	if err != nil || bytes.Equal(now, []byte(text)) {
		return false, err
	}
	c, err := s.sealText(text)
	if err != nil {
		return false, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		sku, err := catalog.SKUByCodeTx(tx, merchantID, skuCode)
		if err != nil {
			return err
		}
		p, err := catalog.ByIDTx(tx, merchantID, sku.ProductID)
		if err != nil {
			return err
		}
		if p.Kind != catalog.Text {
			return errNotText
		}
		if err := stock.PutSharedTx(tx, merchantID, sku.ID, c.id, c.sealed); err != nil {
			return err
		}
		return recordTx(ctx, tx, audit.Record{
			MerchantID: merchantID, Action: "content.replaced", SubjectKind: "sku", SubjectID: sku.ID,
			Detail: map[string]string{"sku": sku.Code},
		})
	})
	return err == nil, err
}

func checkShared(text string) error {
	switch {
	case text == "":
		return errs.Field("content", "required", "a text is needed")
	case len(text) > maxContent:
		return errs.Field("content", TooLong, "a text has at most 20,000 bytes")
	case !utf8.ValidString(text):
		return errs.Field("content", "invalid_utf8", "the text is not valid UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return control(r) && r != '\n' }):
		return errs.Field("content", ControlCharacter, textOf(ControlCharacter))
	}
	return nil
}

// SetStock sets how many items of a SKU are available (stock.Counted, 0 to
// 1,000,000,000) or that there is no limit (stock.Unlimited), and records who
// did it. Codes: sku_not_found (also for card SKUs, whose cards decide),
// out_of_range, invalid_mode.
func (s *Service) SetStock(ctx context.Context, merchantID id.ID, skuCode string, mode stock.Mode, available int64) error {
	if mode != stock.Counted && mode != stock.Unlimited {
		return errs.Field("mode", "invalid_mode", "stock is counted or unlimited")
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		sku, err := catalog.SKUByCodeTx(tx, merchantID, skuCode)
		if err != nil {
			return err
		}
		if err := stock.SetCountTx(tx, merchantID, sku.ID, mode, available); err != nil {
			return err
		}
		return recordTx(ctx, tx, audit.Record{
			MerchantID: merchantID, Action: "stock.set", SubjectKind: "sku", SubjectID: sku.ID,
			Detail: map[string]string{"sku": sku.Code, "mode": string(mode), "available": strconv.FormatInt(available, 10)},
		})
	})
}
