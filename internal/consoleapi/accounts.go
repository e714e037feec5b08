package consoleapi

import (
	"context"
	"encoding/json"
	"net/http"

	"panshi/internal/access"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/payment"
	"panshi/internal/perm"
	"panshi/internal/web"
)

type accountView struct {
	ID          string `json:"id" doc:"The account."`
	Provider    string `json:"provider" doc:"The platform; offline: transfers that staff confirm."`
	Method      string `json:"method" doc:"How buyers pay by it."`
	ExternalRef string `json:"external_ref" doc:"The platform's number of the merchant."`
	AppRef      string `json:"app_ref" doc:"The platform's number of the application; nothing if it has none."`
	Name        string `json:"name" doc:"As the buyer reads it."`
	NameEN      string `json:"name_en" doc:"In English."`
	On          bool   `json:"on" doc:"Takes new payments."`
	Sandbox     bool   `json:"sandbox" doc:"At a simulator: takes no real money."`
}

type accountsOut struct {
	Body struct {
		Items []accountView `json:"items" doc:"In the order in which buyers see them. Settings are never shown."`
	}
}

type putAccountIn struct {
	Body struct {
		Provider string         `json:"provider" minLength:"1" maxLength:"40" doc:"The platform, or offline."`
		Settings map[string]any `json:"settings" doc:"As the file of panshi account put; offline: instructions, hours, ref. Sealed at once, never shown."`
		Name     string         `json:"name" minLength:"1" maxLength:"120" doc:"As the buyer reads it."`
		NameEN   string         `json:"name_en,omitempty" maxLength:"120" doc:"In English."`
		On       bool           `json:"on" doc:"Takes new payments."`
		Position int            `json:"position,omitempty" minimum:"0" maximum:"1000000" doc:"Lower comes first."`
		Reason   string         `json:"reason" minLength:"1" maxLength:"500" doc:"For who approves."`
	}
}

type switchAccountIn struct {
	ID   string `path:"id" format:"uuid" maxLength:"36" doc:"The account."`
	Body struct {
		On     bool   `json:"on" doc:"Whether it is to take new payments."`
		Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"For who approves."`
	}
}

func (a *api) addAccounts() {
	const all = "/console/api/v1/payment_accounts"
	asked := []string{"approval_pending", "account_is_sandbox"}
	register(a, web.Operation{
		Method: http.MethodGet, Path: all, ID: "list_payment_accounts", Tag: tagMoney, Summary: "List payment accounts, without their secrets",
		Permission: perm.AccountsRead, Priority: perm.Normal, Limit: web.LimitStaff,
	}, a.listAccounts)
	register(a, web.Operation{
		Method: http.MethodPost, Path: all, ID: "request_payment_account", Tag: tagMoney, Status: http.StatusCreated,
		Summary:    "Ask for approval to store a payment account, or to replace the one with the same number",
		Permission: perm.AccountsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.Invalid: {"provider_unknown", "account_config", "invalid_value"}, errs.Conflict: asked},
	}, a.putAccount)
	register(a, web.Operation{
		Method: http.MethodPost, Path: all + "/{id}/switch", ID: "request_account_switch", Tag: tagMoney, Status: http.StatusCreated,
		Summary:    "Ask for approval to take payments by an account, or none",
		Permission: perm.AccountsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: {"account_not_found"}, errs.Conflict: asked},
	}, a.switchAccount)
}

func (a *api) listAccounts(ctx context.Context, p access.Principal, _ *struct{}) (*accountsOut, error) {
	list, err := a.deps.Accounts.List(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	out := &accountsOut{}
	out.Body.Items = make([]accountView, len(list))
	for i, acc := range list {
		out.Body.Items[i] = accountView{
			ID: acc.ID.String(), Provider: acc.Provider, Method: acc.Method, ExternalRef: acc.ExternalRef, AppRef: acc.AppRef,
			Name: acc.Name, NameEN: acc.NameEN, On: acc.On, Sandbox: acc.Sandbox,
		}
	}
	return out, nil
}

func (a *api) putAccount(ctx context.Context, p access.Principal, in *putAccountIn) (*approvalOut, error) {
	raw, err := json.Marshal(in.Body.Settings)
	if err != nil {
		return nil, err
	}
	acc, config, err := a.deps.Settings(in.Body.Provider, raw)
	if err != nil {
		return nil, err
	}
	acc.MerchantID, acc.Name, acc.NameEN = p.MerchantID, in.Body.Name, in.Body.NameEN
	acc.On, acc.Position = in.Body.On, in.Body.Position
	return showApproval(a.deps.Accounts.RequestPut(ctx, acc, config, in.Body.Reason))
}

func (a *api) switchAccount(ctx context.Context, p access.Principal, in *switchAccountIn) (*approvalOut, error) {
	accountID, err := id.Parse(in.ID)
	if err != nil {
		return nil, payment.ErrAccountUnknown
	}
	return showApproval(a.deps.Accounts.RequestSwitch(ctx, p.MerchantID, accountID, in.Body.On, in.Body.Reason))
}
