package paynotify

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"panshi/internal/audit"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/payment"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// answerIn is how long a callback may take. WeChat Pay waits 5 s
// (reference/payments.md); the rest is for the network.
const answerIn = 4 * time.Second

// maxBody bounds a callback; real ones have a few kilobytes.
const maxBody = 64 << 10

// Accounts finds a payment account and what speaks to its platform.
// payment.Accounts does it.
type Accounts interface {
	Provider(ctx context.Context, accountID id.ID) (payment.Account, payment.Provider, error)
}

// Settler takes a platform's verified word. checkout.Service does it. An error
// means that nothing happened and the platform should tell again; repeats have
// one effect.
type Settler interface {
	Settle(ctx context.Context, account payment.Account, r payment.Report, by string) (checkout.Outcome, error)
	SettleRefund(ctx context.Context, account payment.Account, r payment.RefundReport) error
	// AskRefund has the platform asked about a refund that it has news of.
	AskRefund(ctx context.Context, account payment.Account, refundNo string) error
}

// Reader is a payment.Provider whose platform sends callbacks.
type Reader interface {
	// ParseNotification verifies body as it came and reads it. Its errors are
	// of kind Unauthenticated or Malformed and quote nothing of the callback.
	ParseNotification(header http.Header, body []byte) (payment.Notification, error)
	// Acknowledge is the answer that keeps the platform from telling again.
	Acknowledge() (contentType string, body []byte)
}

// Renewer is a Reader whose platform changes its keys: a callback under a key
// that is not in hand may be good once the platform was asked.
type Renewer interface {
	// RenewFor asks the platform for its keys if that may cure err, seldom, and
	// tells whether the callback should be read again.
	RenewFor(ctx context.Context, header http.Header, err error) bool
}

// Add puts the callbacks' row into mux.
func Add(mux *web.Mux, accounts Accounts, settler Settler, logger *slog.Logger) error {
	n := &notify{accounts: accounts, settler: settler, logger: logger}
	return mux.Add(web.Audience{Name: "paynotify", Headers: web.APIHeaders(), Fail: n.refuse}, web.Route{
		Method: http.MethodPost, Pattern: "/notify/{provider}/{account}", Permission: perm.Signed,
		Priority: perm.Critical, Limit: web.LimitCallback, MaxBody: maxBody, Handler: n.take,
	})
}

type notify struct {
	accounts Accounts
	settler  Settler
	logger   *slog.Logger
}

// errNoAccount answers for every address that is not one of ours, whatever
// part of it is wrong.
var errNoAccount = errs.New(errs.NotFound, "account_not_found", "callbacks do not come to this address")

func (n *notify) take(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), answerIn)
	defer cancel()
	account, reader, err := n.find(ctx, r.PathValue("provider"), r.PathValue("account"))
	if err != nil {
		return err
	}
	body, err := web.Body(r)
	if err != nil {
		return err
	}
	told, err := read(ctx, reader, r.Header, body)
	if err != nil {
		return err
	}
	actor := audit.Actor{Kind: "platform", ID: account.ID.String()}
	if err := n.settle(audit.WithOrigin(ctx, actor, web.RequestID(ctx)), account, told); err != nil {
		return err
	}
	contentType, word := reader.Acknowledge()
	write(w, http.StatusOK, contentType, word)
	return nil
}

func read(ctx context.Context, reader Reader, header http.Header, body []byte) (payment.Notification, error) {
	told, err := reader.ParseNotification(header, body)
	if err == nil {
		return told, nil
	}
	if renewer, ok := reader.(Renewer); ok && renewer.RenewFor(ctx, header, err) {
		return reader.ParseNotification(header, body)
	}
	return told, err
}

// find gives the account that an address names.
func (n *notify) find(ctx context.Context, provider, account string) (payment.Account, Reader, error) {
	accountID, err := id.Parse(account)
	if err != nil || accountID.IsZero() {
		return payment.Account{}, nil, errNoAccount
	}
	found, speaker, err := n.accounts.Provider(ctx, accountID)
	switch {
	case errors.Is(err, payment.ErrNoAccount):
		return payment.Account{}, nil, errNoAccount
	case err != nil:
		return payment.Account{}, nil, trouble(err)
	}
	reader, ok := speaker.(Reader)
	if !ok || found.Provider != provider {
		return payment.Account{}, nil, errNoAccount
	}
	return found, reader, nil
}

// settle passes on what a platform told. Every outcome of money is an answer:
// what is held or ignored would be so again.
func (n *notify) settle(ctx context.Context, account payment.Account, told payment.Notification) error {
	switch {
	case told.Payment != nil:
		outcome, err := n.settler.Settle(ctx, account, *told.Payment, "callback")
		if err == nil && outcome == checkout.Ignored {
			n.ignored(ctx, account, "payment_not_paid")
		}
		if err == nil && told.RefundNo != "" {
			err = n.settler.AskRefund(ctx, account, told.RefundNo)
		}
		return trouble(err)
	case told.Refund != nil:
		return trouble(n.settler.SettleRefund(ctx, account, *told.Refund))
	}
	n.ignored(ctx, account, "event_ignored")
	return nil
}

// ignored writes the line about a callback that changes nothing.
func (n *notify) ignored(ctx context.Context, account payment.Account, code string) {
	n.logger.InfoContext(ctx, "callback ignored", "code", code, "account", account.ID.String(), "request_id", web.RequestID(ctx))
}
