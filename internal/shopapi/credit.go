package shopapi

import (
	"context"
	"net/http"
	"time"

	"panshi/internal/account"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// creditProof is a number and a code, in a body and nowhere else.
type creditProof struct {
	Number string `json:"number" minLength:"1" maxLength:"32" example:"C7K2M9QX4RT" doc:"The number of the store credit."`
	Code   string `json:"code" minLength:"1" maxLength:"128" example:"q83vEjRWeJq83vEjRWeJqw" doc:"The code that the shop gave with it."`
}

// String hides the code from logs.
func (creditProof) String() string { return "[credit proof]" }

// GoString hides the code from %#v.
func (p creditProof) GoString() string { return p.String() }

func (p creditProof) proof() checkout.CreditProof {
	return checkout.CreditProof{Number: p.Number, Code: p.Code}
}

type creditIn struct {
	Body struct {
		Number string `json:"number" minLength:"1" maxLength:"32" example:"C7K2M9QX4RT" doc:"The number of the store credit."`
		Code   string `json:"code" minLength:"1" maxLength:"128" example:"q83vEjRWeJq83vEjRWeJqw" doc:"The code that the shop gave with it."`
		Cursor string `json:"cursor,omitempty" maxLength:"36" example:"0198f3a0-0000-7000-8000-000000000005" doc:"The next_cursor of the page before; nothing for the first page."`
		Limit  int    `json:"limit,omitempty" minimum:"1" maximum:"100" example:"20" doc:"How many movements at most; nothing: 20."`
	}
}

type creditView struct {
	Number     string           `json:"number" example:"C7K2M9QX4RT" doc:"As asked for."`
	Balance    int64            `json:"balance" example:"4900" doc:"What it can pay, in minor units."`
	Currency   string           `json:"currency" example:"CNY" doc:"ISO 4217."`
	State      string           `json:"state" enum:"open,frozen,closed" example:"open" doc:"Only an open one can pay."`
	Movements  []creditMovement `json:"movements" doc:"The newest first."`
	NextCursor string           `json:"next_cursor" example:"0198f3a0-0000-7000-8000-000000000005" doc:"Nothing on the last page."`
}

type creditMovement struct {
	At      time.Time `json:"at" example:"2026-05-04T03:02:01.000Z" doc:"When."`
	Kind    string    `json:"kind" enum:"granted,taken_back,spent,returned" example:"spent" doc:"granted or taken_back by the shop, spent on an order, returned by one."`
	Amount  int64     `json:"amount" example:"-4900" doc:"In minor units; below zero: it went out."`
	Balance int64     `json:"balance" example:"100" doc:"Afterwards."`
	OrderNo string    `json:"order_no,omitempty" example:"20260504M7KQ2Z8R4T6V0XWY" doc:"The order that was paid or given back."`
}

type creditOut struct{ Body creditView }

func (a *api) addCredit() {
	register(a, web.Operation{
		Method: http.MethodPost, Path: "/api/v1/credit", ID: "show_credit", Tag: tagCredit,
		Summary:     "Show the balance and the movements of a store credit",
		Description: "A wrong code and an unknown number are one answer.",
		Permission:  perm.Anyone, Priority: perm.Critical, Limit: web.LimitLookup,
		Errors: map[errs.Kind][]string{
			errs.NotFound: {account.ErrUnknown.Code}, errs.Invalid: fieldCodes("invalid_cursor"),
		},
	}, a.showCredit)
}

// creditPage is how many movements are shown if nobody says.
const creditPage = 20

func (a *api) showCredit(ctx context.Context, shop id.ID, in *creditIn) (*creditOut, error) {
	var before id.ID
	if in.Body.Cursor != "" {
		var err error
		if before, err = id.Parse(in.Body.Cursor); err != nil {
			return nil, errs.Field("cursor", "invalid_cursor", "this cursor is not from a list of ours")
		}
	}
	limit := in.Body.Limit
	if limit == 0 {
		limit = creditPage
	}
	v, err := a.deps.Credits.Credit(ctx, shop, checkout.CreditProof{Number: in.Body.Number, Code: in.Body.Code}, before, limit+1)
	if err != nil {
		return nil, err
	}
	c := v.Credit
	out := creditView{Number: c.Number, Balance: c.Balance.Minor, Currency: string(c.Balance.Currency), State: string(c.State)}
	if len(v.Movements) > limit {
		v.Movements = v.Movements[:limit]
		out.NextCursor = v.Movements[limit-1].ID.String()
	}
	out.Movements = make([]creditMovement, len(v.Movements))
	for i, m := range v.Movements {
		out.Movements[i] = creditMovement{
			At: moment(m.At), Kind: string(m.Kind), Amount: m.Amount.Minor, Balance: m.Balance.Minor, OrderNo: m.OrderNo,
		}
	}
	return &creditOut{out}, nil
}
