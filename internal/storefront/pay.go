package storefront

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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

// payData is the page with the code to scan, or with the way to the platform's
// page.
type payData struct {
	OrderNo     string
	Total       money.Amount
	ExpiresAt   time.Time
	ExpiresIn   int    // seconds
	QR          qrCode // to scan, if there is neither Leave nor Transfer
	Leave       string // the platform's page
	Transfer    string // where to transfer the money, in words
	Channel     string // its name
	ChannelID   string
	Several     bool // there are other channels
	SandboxLink string
	Checked     bool // the buyer says to have paid, and we do not see it yet
	Returned    bool // the buyer comes back from the platform's page, which proves nothing
	InWeChat    bool
}

// channelsData is the choice between several ways to pay.
type channelsData struct {
	OrderNo  string
	Total    money.Amount
	Channels []channelView
	InWeChat bool
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
	Others    []channelView
}

// pay shows how to pay by the channel that suits best, and the choice of another
// if there are several. Whoever has paid is led to the order.
func (s *Shop) pay(v *visit) error {
	return s.withOrder(v, func(h held) error {
		q, err := v.query()
		if err != nil {
			return err
		}
		back := q.Get("back") != ""
		if h.Order.Status != order.Pending {
			return v.see(h.arrival(back))
		}
		channels, err := s.Channels.Channels(v.r.Context(), v.shop.ID)
		if err != nil {
			return err
		}
		channels = fitting(channels, deviceOf(v.r.UserAgent()))
		chosen, ok := choose(channels, q.Get("channel"), h.Payments)
		switch {
		case len(channels) == 0:
			return s.noChannel(v, h)
		case !ok || q.Get("choose") != "":
			return s.showChannels(v, h, channels)
		}
		if chosen.Provider == payment.Balance {
			return s.showPayCredit(v, http.StatusOK, payCreditData{
				OrderNo: h.no, Total: h.Order.Total, ExpiresAt: h.Order.ExpiresAt, Channel: chosen.ID.String(), Several: len(channels) > 1,
			})
		}
		return s.payThrough(v, h, chosen, channels, payData{
			Several: len(channels) > 1, Checked: q.Get("checked") != "", Returned: back,
		})
	})
}

// choose finds the channel to pay through: the one asked for, else the one that
// this order opened a payment at last, else the one that suits best.
func choose(channels []payment.Account, asked string, payments []payment.Payment) (payment.Account, bool) {
	at := func(accountID string) int {
		return slices.IndexFunc(channels, func(c payment.Account) bool { return c.ID.String() == accountID })
	}
	chosen := max(0, slices.IndexFunc(channels, func(c payment.Account) bool { return c.On }))
	if asked != "" {
		chosen = at(asked)
	} else {
		for _, p := range payments {
			if p.Status != payment.Open {
				continue
			}
			carried := func(c payment.Account) bool { return c.Carried(p) }
			if opened := slices.IndexFunc(channels, carried); opened >= 0 {
				chosen = opened
			}
		}
	}
	if chosen < 0 || chosen >= len(channels) {
		return payment.Account{}, false
	}
	return channels[chosen], true
}

func (s *Shop) payThrough(v *visit, h held, channel payment.Account, channels []payment.Account, d payData) error {
	s.nudge(v, h)
	p, err := s.startPayment(v, h, channel)
	switch errs.CodeOf(err) {
	case "order_not_payable":
		return v.see(h.path())
	case "payment_busy", "channel_unfit":
		return s.payBusy(v, h, err, others(v, channels, channel))
	}
	if err != nil {
		return err
	}
	if p.Status == payment.Paid || p.Status == payment.Held {
		return v.see(h.arrival(d.Returned))
	}
	if err := s.instruct(v, h, p, &d); err != nil {
		return s.payBusy(v, h, err, others(v, channels, channel))
	}
	if d.Transfer != "" && !slices.ContainsFunc(h.Payments, func(known payment.Payment) bool { return known.ID == p.ID }) {
		return v.see(h.path() + "/pay?channel=" + channel.ID.String()) // the order waits for longer from now on
	}
	d.OrderNo, d.Total, d.ExpiresAt = h.no, p.Amount, h.Order.ExpiresAt
	d.ExpiresIn = max(0, int(h.Order.ExpiresAt.Sub(s.Clock.Now())/time.Second))
	d.Channel, d.ChannelID = pick(v.lang, channel.Name, channel.NameEN), channel.ID.String()
	d.InWeChat = deviceOf(v.r.UserAgent()) == inWeChat
	title := "shop.pay.title"
	switch {
	case d.Leave != "":
		title = "shop.pay.title_leave"
	case d.Transfer != "":
		title = "shop.pay.title_transfer"
	}
	return s.show(v, http.StatusOK, "pay", screen{
		Title: s.text(v, title), Private: true, Refresh: refreshSeconds, Scripts: []string{"pay.js"}, Data: d,
	})
}

// instruct puts into d what the buyer does to pay p: scan a code, go to the
// platform's page, or transfer money. The way there is a link and no redirect,
// because the page must stay behind to notice the payment, and a form's
// redirect to elsewhere is not allowed to leave the shop.
func (s *Shop) instruct(v *visit, h held, p payment.Payment, d *payData) (err error) {
	i, ok := p.Instruction()
	switch {
	case ok && i.Kind == payment.KindRedirect:
		d.Leave = i.URL
		return nil
	case ok && i.Kind == payment.KindText:
		d.Transfer = i.Text
		return nil
	case !ok || i.Kind != payment.KindQR:
		return payment.ErrProviderBusy
	}
	d.QR, err = qrOf(i.CodeURL)
	d.SandboxLink = s.sandboxLink(v, h, i.CodeURL)
	return err
}

// startPayment starts the payment of this page or finds it again: the key is
// the same until a payment of the channel was closed.
func (s *Shop) startPayment(v *visit, h held, channel payment.Account) (payment.Payment, error) {
	closed := 0
	for _, p := range h.Payments {
		if channel.Carried(p) && p.Status == payment.Closed {
			closed++
		}
	}
	key := fmt.Sprintf("page-%s-%s-%s-%d", channel.Provider, channel.Method, channel.AppRef, closed)
	sum := sha256.Sum256([]byte("pay " + h.no + " " + key))
	return s.Payments.StartPayment(v.r.Context(), checkout.PayRequest{
		MerchantID: v.shop.ID, OrderNo: h.no, Token: h.token, Key: key, BodyDigest: sum[:],
		Channel: channel.ID, Client: "web", ClientIP: web.ClientAddr(v.r.Context()).String(),
		ReturnURL: s.origin(v) + h.path() + "/pay?back=1&channel=" + channel.ID.String(),
	})
}

// sandboxLink leads to the simulator's page that pays as a phone would.
func (s *Shop) sandboxLink(v *visit, h held, codeURL string) string {
	if s.SandboxURL == "" {
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

// noChannel is the page of a shop that takes no payments at all.
func (s *Shop) noChannel(v *visit, h held) error {
	return s.busyPage(v, h, errs.New(errs.Unavailable, "no_channel", "no payment channel is open"), busyData{NoChannel: true})
}

// others are the channels beside one that work.
func others(v *visit, channels []payment.Account, busy payment.Account) []channelView {
	var views []channelView
	for _, c := range channels {
		if c.On && c.ID != busy.ID {
			views = append(views, channelView{c.ID.String(), pick(v.lang, c.Name, c.NameEN), len(views) == 0})
		}
	}
	return views
}

func (s *Shop) payBusy(v *visit, h held, err error, others []channelView) error {
	return s.busyPage(v, h, err, busyData{Others: others})
}

func (s *Shop) busyPage(v *visit, h held, err error, d busyData) error {
	d.OrderNo, d.ExpiresAt, d.Retry = h.no, h.Order.ExpiresAt, v.r.URL.RequestURI()
	p := web.ProblemOf(v.r.Context(), v.w.Header(), err)
	return s.show(v, p.Status, "paybusy", screen{
		Title: s.text(v, "shop.busy.title"), Private: true, Back: h.path() + "/pay",
		Data: d,
	})
}

func (s *Shop) showChannels(v *visit, h held, channels []payment.Account) error {
	d := channelsData{OrderNo: h.no, Total: h.Order.Total, InWeChat: deviceOf(v.r.UserAgent()) == inWeChat}
	for _, c := range channels {
		if c.On {
			d.Channels = append(d.Channels, channelView{c.ID.String(), pick(v.lang, c.Name, c.NameEN), len(d.Channels) == 0})
		}
	}
	if len(d.Channels) == 0 {
		return s.payBusy(v, h, payment.ErrProviderBusy, nil)
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
