package consoleapi

import (
	"context"
	"net/http"
	"time"

	"panshi/internal/access"
	"panshi/internal/errs"
	"panshi/internal/imports"
	"panshi/internal/perm"
	"panshi/internal/web"
)

type findCardIn struct {
	Body struct {
		Content string `json:"content" minLength:"1" maxLength:"4096" doc:"The whole key, as a buyer tells it."`
	}
}

type findCardOut struct {
	Body struct {
		SKUCode  string    `json:"sku_code" doc:"What it is sold as."`
		Title    string    `json:"title" doc:"The product, in Chinese."`
		TitleEN  string    `json:"title_en" doc:"In English."`
		State    string    `json:"state" enum:"available,held,sold,disabled" doc:"held: for an unpaid order."`
		BatchID  string    `json:"batch_id" doc:"The import that brought it."`
		StoredAt time.Time `json:"stored_at" doc:"When."`
		OrderNo  string    `json:"order_no" doc:"The order that has it; nothing if none."`
	}
}

func (a *api) addCardFind() {
	register(a, web.Operation{
		Method: http.MethodPost, Path: "/console/api/v1/cards/find", ID: "find_card", Tag: tagProducts, Summary: "Find a card by its key; recorded",
		Description: "Fingerprints are compared: no key is opened, and none is answered with.",
		Permission:  perm.OrdersRead, Priority: perm.Normal, Limit: web.LimitReveal,
		Errors: map[errs.Kind][]string{errs.NotFound: {imports.ErrCardUnknown.Code}, errs.Unavailable: {"vault_cards_shut"}},
	}, a.findCard)
}

func (a *api) findCard(ctx context.Context, p access.Principal, in *findCardIn) (*findCardOut, error) {
	found, err := a.deps.Imports.FindCard(ctx, p.MerchantID, in.Body.Content)
	if err != nil {
		return nil, err
	}
	out := &findCardOut{}
	b := &out.Body
	b.SKUCode, b.Title, b.TitleEN, b.State, b.BatchID = found.SKUCode, found.Title, found.TitleEN, found.Status, found.BatchID.String()
	b.StoredAt, b.OrderNo = found.StoredAt, found.OrderNo
	return out, nil
}
