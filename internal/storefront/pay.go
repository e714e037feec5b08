package storefront

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/web"
)

// refreshSeconds is how often a pay page without scripts looks again.
const refreshSeconds = 10

// payData is the page with the code to scan.
type payData struct {
	OrderNo     string
	Total       money.Amount
	ExpiresAt   time.Time
	ExpiresIn   int // seconds
	QR          qrCode
	Transfer    string // instead of a code: where to transfer the money
	Channel     string // its name
	ChannelID   string
	Several     bool // there are other channels
	SandboxLink string
	Checked     bool // the buyer says to have paid, and we do not see it yet
}

// channelsData is the choice between several ways to pay.
type channelsData struct {
	OrderNo  string
	Total    money.Amount
	Channels []channelView
}

type channelView struct {
	ID, Name string
	First    bool
}

// busyData is the page for when no payment can be started.
type busyData struct {
	OrderNo   string
	ExpiresAt time.Time
	Retry     string // where trying again leads
	NoChannel bool   // trying again soon will not help
}

// pay shows how to pay: the choice of a channel if there are several, then the
// code. Whoever has paid is led to the order.
func (s *Shop) pay(v *visit) error {
	return s.withOrder(v, func(h held) error {
		if h.Order.Status != order.Pending {
			return v.see(h.path())
		}
		q, err := v.query()
		if err != nil {
			return err
		}
		channels, err := s.Channels.Channels(v.r.Context(), v.shop.ID)
		if err != nil {
			return err
		}
		chosen, ok := choose(channels, q.Get("channel"), h.Payments)
		switch {
		case len(channels) == 0:
			return s.payBusy(v, h, errs.New(errs.Unavailable, "no_channel", "no payment channel is open"), true)
		case !ok || q.Get("choose") != "":
			return s.showChannels(v, h, channels)
		}
		return s.payThrough(v, h, chosen, len(channels) > 1, q.Get("checked") != "")
	})
}

// choose finds the channel to pay through: the one asked for, the only one, or
// the one that this order opened a payment at.
func choose(channels []payment.Account, asked string, payments []payment.Payment) (payment.Account, bool) {
	for _, c := range channels {
		opened := false
		for _, p := range payments {
			opened = opened || p.AccountID == c.ID && p.Status == payment.Open
		}
		if c.ID.String() == asked || asked == "" && (len(channels) == 1 || opened) {
			return c, true
		}
	}
	return payment.Account{}, false
}

func (s *Shop) payThrough(v *visit, h held, channel payment.Account, several, checked bool) error {
	s.nudge(v, h)
	p, err := s.startPayment(v, h, channel)
	switch errs.CodeOf(err) {
	case "order_not_payable":
		return v.see(h.path())
	case "payment_busy":
		return s.payBusy(v, h, err, false)
	}
	if err != nil {
		return err
	}
	if p.Status == payment.Paid || p.Status == payment.Held {
		return v.see(h.path())
	}
	if p.CodeURL == "" {
		return s.payBusy(v, h, payment.ErrProviderBusy, false)
	}
	if p.Provider == payment.Offline && !slices.ContainsFunc(h.Payments, func(known payment.Payment) bool { return known.ID == p.ID }) {
		return v.see(h.path() + "/pay?channel=" + channel.ID.String()) // the order waits for longer from now on
	}
	code, transfer, err := wayToPay(p)
	if err != nil {
		return err
	}
	d := payData{
		OrderNo: h.no, Total: p.Amount, ExpiresAt: h.Order.ExpiresAt,
		ExpiresIn: max(0, int(h.Order.ExpiresAt.Sub(s.Clock.Now())/time.Second)), QR: code, Transfer: transfer,
		Channel: pick(v.lang, channel.Name, channel.NameEN), ChannelID: channel.ID.String(), Several: several,
		SandboxLink: s.sandboxLink(v, h, p.CodeURL), Checked: checked,
	}
	return s.show(v, http.StatusOK, "pay", screen{
		Title: s.text(v, "shop.pay.title"), Private: true, Refresh: refreshSeconds, Scripts: []string{"pay.js"}, Data: d,
	})
}

// wayToPay is what the buyer sees: a code for the phone, or words.
func wayToPay(p payment.Payment) (code qrCode, transfer string, err error) {
	if p.Provider == payment.Offline {
		return qrCode{}, p.CodeURL, nil
	}
	code, err = qrOf(p.CodeURL)
	return code, "", err
}

// startPayment starts the payment of this page or finds it again: the key is
// the same until a payment of the channel was closed.
func (s *Shop) startPayment(v *visit, h held, channel payment.Account) (payment.Payment, error) {
	closed := 0
	for _, p := range h.Payments {
		if p.AccountID == channel.ID && p.Status == payment.Closed {
			closed++
		}
	}
	key := fmt.Sprintf("page-%s-%d", channel.ID, closed)
	sum := sha256.Sum256([]byte("pay " + h.no + " " + key))
	return s.Payments.StartPayment(v.r.Context(), checkout.PayRequest{
		MerchantID: v.shop.ID, OrderNo: h.no, Token: h.token, Key: key, BodyDigest: sum[:],
		Channel: channel.ID, ClientIP: web.ClientAddr(v.r.Context()).String(),
	})
}

// sandboxLink leads to the simulator's page that pays as a phone would.
func (s *Shop) sandboxLink(v *visit, h held, codeURL string) string {
	if s.SandboxURL == "" || !strings.HasPrefix(codeURL, "weixin://") {
		return ""
	}
	q := url.Values{"code_url": {codeURL}, "return_url": {s.origin(v) + h.path() + "/pay"}, "lang": {string(v.lang)}}
	return s.SandboxURL + "/scan?" + q.Encode()
}

// nudge has the platform asked for a waiting buyer. It is a kindness: when it
// fails the sweeps ask all the same.
func (s *Shop) nudge(v *visit, h held) {
	if err := s.Payments.Nudge(v.r.Context(), v.shop.ID, h.Order.ID); err != nil {
		s.Logger.WarnContext(v.r.Context(), "payment not asked about", "request_id", web.RequestID(v.r.Context()),
			"order_no", h.no, "code", errs.CodeOf(err))
	}
}

func (s *Shop) payBusy(v *visit, h held, err error, noChannel bool) error {
	p := web.ProblemOf(v.r.Context(), v.w.Header(), err)
	return s.show(v, p.Status, "paybusy", screen{
		Title: s.text(v, "shop.busy.title"), Private: true, Back: h.path() + "/pay",
		Data: busyData{OrderNo: h.no, ExpiresAt: h.Order.ExpiresAt, Retry: v.r.URL.RequestURI(), NoChannel: noChannel},
	})
}

func (s *Shop) showChannels(v *visit, h held, channels []payment.Account) error {
	d := channelsData{OrderNo: h.no, Total: h.Order.Total}
	for i, c := range channels {
		d.Channels = append(d.Channels, channelView{c.ID.String(), pick(v.lang, c.Name, c.NameEN), i == 0})
	}
	return s.show(v, http.StatusOK, "channels", screen{Title: s.text(v, "shop.channels.title"), Private: true, Data: d})
}

// payAction takes the buttons of the pay pages: a channel was chosen, or the
// buyer says to have paid.
func (s *Shop) payAction(v *visit) error {
	return s.withOrder(v, func(h held) error {
		form, err := v.form()
		if err != nil {
			return err
		}
		q := url.Values{}
		if channel, err := id.Parse(form.Get("channel")); err == nil {
			q.Set("channel", channel.String())
		}
		if form.Get("action") == "check" {
			if h.Order.Status != order.Pending {
				return v.see(h.path())
			}
			s.nudge(v, h)
			q.Set("checked", "1")
		}
		if len(q) == 0 {
			return v.see(h.path() + "/pay")
		}
		return v.see(h.path() + "/pay?" + q.Encode())
	})
}

// statusAnswer is what the pay page's module asks for every 2 s.
type statusAnswer struct {
	Status    order.Status `json:"status"`
	Waiting   bool         `json:"waiting"`    // still to be paid
	ExpiresIn int          `json:"expires_in"` // seconds
	Next      string       `json:"next"`       // where to go once it is not waiting
}

func (s *Shop) status(v *visit) error {
	h, err := s.heldOrder(v)
	if err != nil {
		web.WriteProblem(v.w, v.r, err)
		return nil
	}
	a := statusAnswer{
		Status: h.Order.Status, Waiting: h.Order.Status == order.Pending, Next: h.path(),
		ExpiresIn: max(0, int(h.Order.ExpiresAt.Sub(s.Clock.Now())/time.Second)),
	}
	if a.Waiting {
		s.nudge(v, h)
	}
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Set("Cache-Control", "no-store")
	_, _ = v.w.Write(body) // a reader who has gone is no fault of ours
	return nil
}
