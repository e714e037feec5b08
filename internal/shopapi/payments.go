package shopapi

import (
	"context"
	"net/http"

	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/payment"
	"panshi/internal/perm"
	"panshi/internal/web"
)

type channel struct {
	ID        string `json:"id" format:"uuid" example:"0198f3a0-0000-7000-8000-000000000004" doc:"The channel of a payment."`
	Name      string `json:"name" example:"WeChat Pay" doc:"In the language asked for."`
	Kind      string `json:"kind" example:"wechatpay_native" doc:"Platform and method."`
	Available bool   `json:"available" example:"true" doc:"Whether it takes payments at this moment."`
}

type channelList struct {
	Items []channel `json:"items" doc:"The first is the one to offer first."`
}

type payBody struct {
	Channel string      `json:"channel" minLength:"1" maxLength:"120" example:"0198f3a0-0000-7000-8000-000000000004" doc:"Id of a payment channel; its kind or its name will do too."`
	PayerID string      `json:"payer_id,omitempty" maxLength:"128" example:"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" doc:"For a channel of kind wechatpay_jsapi, and needed there: the payer's openid under the channel's application. A repeat must name it again."`
	Client  string      `json:"client,omitempty" enum:"web,miniprogram,api" example:"web" doc:"What the buyer holds; some accounts take payments of some clients only."`
	Credit  creditProof `json:"credit,omitzero" doc:"For a channel of kind balance_credit, and needed there: the payment is paid then, or refused as a whole."`
}

type payIn struct {
	web.IdempotencyHeader
	OrderRef
	Body payBody
}

type (
	listChannelsOut struct{ Body channelList }
	payOut          struct{ Body orderPayment }
)

func (a *api) addPayments() {
	register(a, web.Operation{
		Method: http.MethodGet, Path: "/api/v1/payment_channels", ID: "list_payment_channels", Tag: tagPayments,
		Summary:    "List the ways to pay",
		Permission: perm.Anyone, Priority: perm.Critical, Limit: web.LimitRead,
	}, a.listChannels)
	op := heldOrder(web.Operation{
		Method: http.MethodPost, Path: "/api/v1/orders/{order_no}/payments", ID: "start_payment", Limit: web.LimitPay,
		Status:      http.StatusCreated,
		Summary:     "Start to pay an order",
		Description: "Of a channel's accounts the healthiest that takes the payment is used, and within 3 s another one if it does not answer. payment_busy leaves the order as it is, until expires_at: repeat with the same Idempotency-Key, or choose another channel (channels lists those that work) with a new one. channel_unfit: amount, client or hour do not suit the channel. Store credit (kind balance_credit) pays at once: the payment comes back paid, the goods are delivered; credit_insufficient tells what is missing, and credit_unknown that number or code are wrong.",
	}, "order_not_payable", "too_many_payments", "idempotency_conflict", "channel_unfit", "credit_insufficient", "credit_state", "credit_currency")
	op.Tag = tagPayments
	op.Errors[errs.NotFound] = append(op.Errors[errs.NotFound], "credit_unknown")
	op.Errors[errs.Invalid] = fieldCodes("credit_missing", "credit_not_taken", "channel_not_found", "payer_id_missing", "payer_id_invalid", "idempotency_key_missing", "idempotency_key_invalid")
	op.Errors[errs.Unavailable] = []string{"payment_busy"}
	register(a, op, a.startPayment)
}

func (a *api) listChannels(ctx context.Context, shop id.ID, _ *struct{}) (*listChannelsOut, error) {
	accounts, err := a.deps.Channels.Channels(ctx, shop)
	if err != nil {
		return nil, err
	}
	out := channelList{Items: make([]channel, len(accounts))}
	for i, acc := range accounts {
		out.Items[i] = channel{ID: acc.ID.String(), Name: acc.Name, Kind: kindOf(acc), Available: acc.On}
		if web.Lang(ctx) == "en" && acc.NameEN != "" {
			out.Items[i].Name = acc.NameEN
		}
	}
	return &listChannelsOut{out}, nil
}

func (a *api) startPayment(ctx context.Context, shop id.ID, in *payIn) (*payOut, error) {
	token, err := in.Token()
	if err != nil {
		return nil, err
	}
	chosen, err := a.findChannel(ctx, shop, in.Body.Channel)
	if err != nil {
		return nil, err
	}
	p, err := a.deps.Payments.StartPayment(ctx, checkout.PayRequest{
		MerchantID: shop, OrderNo: in.OrderNo, Token: token, Key: in.IdempotencyKey, BodyDigest: payDigest(chosen, in.Body.PayerID, in.Body.Credit),
		Channel: chosen, ClientIP: clientIP(ctx), PayerID: in.Body.PayerID, Client: in.Body.Client,
		Credit: in.Body.Credit.proof(),
	})
	if err != nil {
		return nil, err
	}
	return &payOut{paymentOf(p)}, nil
}

// findChannel reads an id, or looks a kind or a name up; the first of equals.
func (a *api) findChannel(ctx context.Context, shop id.ID, chosen string) (id.ID, error) {
	if parsed, err := id.Parse(chosen); err == nil && !parsed.IsZero() {
		return parsed, nil
	}
	accounts, err := a.deps.Channels.Channels(ctx, shop)
	if err != nil {
		return id.ID{}, err
	}
	for _, acc := range accounts {
		if chosen == kindOf(acc) || chosen == acc.Name || chosen == acc.NameEN {
			return acc.ID, nil
		}
	}
	return id.ID{}, payment.ErrNoAccount
}

func kindOf(acc payment.Account) string { return acc.Provider + "_" + acc.Method }

// clientIP is what platforms want to know of the payer; "" if unknown.
func clientIP(ctx context.Context) string {
	if addr := web.ClientAddr(ctx); addr.IsValid() {
		return addr.String()
	}
	return ""
}
