package consoleapi

import (
	"context"
	"math"
	"net/http"

	"panshi/internal/access"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/payment"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// accountView is a payment account as staff see it. Its secrets never leave
// the vault, so there is no field for them.
type accountView struct {
	ID          string        `json:"id" doc:"The account."`
	Provider    string        `json:"provider" doc:"The platform."`
	Method      string        `json:"method" doc:"How buyers pay there."`
	ExternalRef string        `json:"external_ref" doc:"The platform's number of the merchant."`
	AppRef      string        `json:"app_ref" doc:"The platform's number of the application."`
	Name        string        `json:"name" doc:"As buyers read it."`
	NameEN      string        `json:"name_en" doc:"The same in English."`
	On          bool          `json:"on" doc:"Takes new payments. What was begun goes on anyway."`
	Sandbox     bool          `json:"sandbox" doc:"At a simulator: play money."`
	Position    int           `json:"position" doc:"The smaller comes first."`
	Weight      int64         `json:"weight" doc:"Its share among accounts that are equally good."`
	MinAmount   int64         `json:"min_amount" doc:"The smallest payment, minor units."`
	MaxAmount   int64         `json:"max_amount" doc:"The largest payment, minor units; 0: no limit."`
	DayAmount   int64         `json:"day_amount" doc:"All payments of a day, minor units; 0: no limit."`
	DayCount    int64         `json:"day_count" doc:"How many payments a day; 0: no limit."`
	Currency    string        `json:"currency" doc:"The only currency it takes; nothing: any."`
	Clients     string        `json:"clients" doc:"Clients it takes payments of; nothing: all."`
	Hours       string        `json:"hours" doc:"When it is open (UTC+8); nothing: always."`
	Health      accountHealth `json:"health" doc:"How it fares, as the process that answers has seen."`
}

type accountHealth struct {
	Score     int64  `json:"score" doc:"0 (nothing works) to 100."`
	Errors    int64  `json:"errors" doc:"Calls of a hundred that failed lately."`
	LatencyMS int64  `json:"latency_ms" doc:"How long calls took lately."`
	Breaker   string `json:"breaker" enum:"closed,open,half-open" doc:"open: it is not asked at the moment."`
}

type (
	accountsOut struct {
		Body struct {
			Items []accountView `json:"items" doc:"All accounts of the shop, by position."`
		}
	}
	accountOut struct{ Body accountView }
	changeIn   struct {
		ID   string `path:"id" format:"uuid" maxLength:"36" doc:"The account."`
		Body payment.RuleChange
	}
)

func (a *api) addAccounts() {
	register(a, web.Operation{
		Method: http.MethodGet, Path: "/console/api/v1/payment_accounts", ID: "list_payment_accounts", Tag: tagAccounts,
		Summary:    "List the payment accounts, their limits and how they fare",
		Permission: perm.PaymentsRead, Priority: perm.Normal, Limit: web.LimitStaff,
	}, a.listAccounts)
	register(a, web.Operation{
		Method: http.MethodPost, Path: "/console/api/v1/payment_accounts/{id}/rules", ID: "set_payment_account_rules", Tag: tagAccounts,
		Summary:     "Switch a payment account on or off, or set what it takes",
		Description: "What is left out stays. It concerns new payments only.",
		Permission:  perm.PaymentsWrite, Priority: perm.Critical, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: {"account_unknown"}, errs.Invalid: {"invalid_hours"}},
	}, a.setAccountRules)
}

func (a *api) listAccounts(ctx context.Context, p access.Principal, _ *struct{}) (*accountsOut, error) {
	all, err := a.deps.Accounts.All(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	out := &accountsOut{}
	out.Body.Items = make([]accountView, len(all))
	for i, acc := range all {
		out.Body.Items[i] = a.viewOfAccount(acc)
	}
	return out, nil
}

func (a *api) setAccountRules(ctx context.Context, p access.Principal, in *changeIn) (*accountOut, error) {
	accountID, err := id.Parse(in.ID)
	if err != nil {
		return nil, payment.ErrAccountUnknown
	}
	acc, err := a.deps.Accounts.SetRules(ctx, p.MerchantID, accountID, in.Body)
	if err != nil {
		return nil, err
	}
	return &accountOut{a.viewOfAccount(acc)}, nil
}

func (a *api) viewOfAccount(acc payment.Account) accountView {
	h, l := a.deps.Accounts.Health(acc.ID), acc.Limits
	return accountView{
		ID: acc.ID.String(), Provider: acc.Provider, Method: acc.Method, ExternalRef: acc.ExternalRef, AppRef: acc.AppRef,
		Name: acc.Name, NameEN: acc.NameEN, On: acc.On, Sandbox: acc.Sandbox, Position: acc.Position, Weight: l.Weight,
		MinAmount: l.MinAmount, MaxAmount: l.MaxAmount, DayAmount: l.DayAmount, DayCount: l.DayCount,
		Currency: string(l.Currency), Clients: l.Clients, Hours: l.Hours,
		Health: accountHealth{
			Score: percent(h.Score), Errors: percent(h.Errors), LatencyMS: h.Latency.Milliseconds(), Breaker: h.Breaker,
		},
	}
}

func percent(share float64) int64 { return int64(math.Round(100 * share)) }
