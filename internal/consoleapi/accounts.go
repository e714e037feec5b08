package consoleapi

import (
	"context"
	"encoding/json"
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
	Provider    string        `json:"provider" doc:"The platform; offline: transfers that staff confirm."`
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

type accountsOut struct {
	Body struct {
		Items []accountView `json:"items" doc:"All accounts of the shop, by position."`
	}
}

type accountOut struct{ Body accountView }

// AccountPath is embedded in the input of an operation on an account.
type AccountPath struct {
	ID string `path:"id" format:"uuid" maxLength:"36" doc:"The account."`
}

type rulesIn struct {
	AccountPath
	Body struct {
		payment.RuleChange
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"For who approves."`
	}
}

type putAccountIn struct {
	Body struct {
		Provider string         `json:"provider" minLength:"1" maxLength:"40" doc:"The platform, or offline."`
		Method   string         `json:"method,omitempty" maxLength:"40" doc:"How buyers pay there; nothing: the platform's first way."`
		Settings map[string]any `json:"settings" doc:"As the file of panshi account put; offline: instructions, hours, ref. Sealed at once, never shown."`
		Name     string         `json:"name" minLength:"1" maxLength:"120" doc:"As the buyer reads it."`
		NameEN   string         `json:"name_en,omitempty" maxLength:"120" doc:"In English."`
		On       bool           `json:"on" doc:"Takes new payments."`
		Reason   string         `json:"reason" minLength:"1" maxLength:"500" doc:"For who approves."`
	}
}

func (a *api) addAccounts() {
	const all, one = "/console/api/v1/payment_accounts", "/console/api/v1/payment_accounts/{id}"
	unknown := []string{payment.ErrAccountUnknown.Code}
	register(a, web.Operation{
		Method: http.MethodGet, Path: all, ID: "list_payment_accounts", Tag: tagAccounts,
		Summary:    "List the payment accounts, their limits and how they fare",
		Permission: perm.PaymentsRead, Priority: perm.Normal, Limit: web.LimitStaff,
	}, a.listAccounts)
	register(a, web.Operation{
		Method: http.MethodPost, Path: all, ID: "request_payment_account", Tag: tagAccounts, Status: http.StatusCreated,
		Summary:    "Ask for approval to store a payment account, or to replace the one with the same number",
		Permission: perm.PaymentsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{
			errs.Invalid:  {"provider_unknown", "method_unknown", "account_config", "invalid_value"},
			errs.Conflict: {"approval_pending", "account_is_sandbox"},
		},
	}, a.putAccount)
	register(a, web.Operation{
		Method: http.MethodPost, Path: one + "/rules", ID: "request_payment_account_rules", Tag: tagAccounts, Status: http.StatusCreated,
		Summary:     "Ask for approval to switch a payment account, or to set what it takes",
		Description: "What is left out stays. It concerns new payments only.",
		Permission:  perm.PaymentsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{
			errs.NotFound: unknown, errs.Invalid: {"invalid_hours", "invalid_choice", "out_of_range"}, errs.Conflict: {"approval_pending"},
		},
	}, a.requestRules)
	register(a, web.Operation{
		Method: http.MethodPost, Path: one + "/stop", ID: "stop_payment_account", Tag: tagAccounts,
		Summary:     "Take no new payments by an account, from this moment on",
		Description: "Needs no approval, for it may be urgent; switching it on again does. What was begun goes on.",
		Permission:  perm.PaymentsWrite, Priority: perm.Critical, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown},
	}, a.stopAccount)
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

func (a *api) putAccount(ctx context.Context, p access.Principal, in *putAccountIn) (*approvalOut, error) {
	raw, err := json.Marshal(in.Body.Settings)
	if err != nil {
		return nil, err
	}
	acc, config, err := a.deps.Settings(in.Body.Provider, in.Body.Method, raw)
	if err != nil {
		return nil, err
	}
	acc.MerchantID, acc.On, acc.Name, acc.NameEN = p.MerchantID, in.Body.On, in.Body.Name, in.Body.NameEN
	return showApproval(a.deps.Changes.RequestPut(ctx, acc, config, in.Body.Reason))
}

func (a *api) requestRules(ctx context.Context, p access.Principal, in *rulesIn) (*approvalOut, error) {
	accountID, err := in.id()
	if err != nil {
		return nil, err
	}
	return showApproval(a.deps.Changes.RequestRules(ctx, p.MerchantID, accountID, in.Body.RuleChange, in.Body.Reason))
}

func (a *api) stopAccount(ctx context.Context, p access.Principal, in *AccountPath) (*accountOut, error) {
	accountID, err := in.id()
	if err != nil {
		return nil, err
	}
	off := false
	acc, err := a.deps.Changes.SetRules(ctx, p.MerchantID, accountID, payment.RuleChange{On: &off})
	if err != nil {
		return nil, err
	}
	return &accountOut{a.viewOfAccount(acc)}, nil
}

func (p AccountPath) id() (id.ID, error) {
	accountID, err := id.Parse(p.ID)
	if err != nil {
		return id.ID{}, payment.ErrAccountUnknown
	}
	return accountID, nil
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
