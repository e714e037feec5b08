package storefront

import (
	"slices"
	"strings"

	"panshi/internal/payment"
)

// device is where a page is read, as far as paying goes. A browser says of
// itself what it likes; the worst of a wrong guess is another order of channels.
type device int

const (
	desk     device = iota // a screen of its own: a phone can scan it
	phone                  // a phone's browser, which can open the platforms' apps
	inWeChat               // the browser inside WeChat, which opens no other app's page
	inAlipay               // the browser inside Alipay
)

func deviceOf(userAgent string) device {
	has := func(mark string) bool { return strings.Contains(userAgent, mark) }
	switch {
	case has("MicroMessenger/"):
		return inWeChat
	case has("AlipayClient/"):
		return inAlipay
	case has("Android"), has("iPhone"), has("iPad"), has("HarmonyOS"), has("Mobile"):
		return phone
	}
	return desk
}

// ranks say how well a method suits a device, the best is 0. Store credit comes
// last everywhere: who has it knows, and who has not must not meet its form.
func ranks(d device) map[string]int {
	switch d {
	case phone:
		return map[string]int{"h5": 0, "wap": 0, "native": 1, "precreate": 1, payment.MethodTransfer: 2, payment.MethodCredit: 3, "page": unfit}
	case inWeChat:
		return map[string]int{"native": 0, "precreate": 1, payment.MethodTransfer: 2, payment.MethodCredit: 3, "h5": unfit, "wap": unfit, "page": unfit}
	case inAlipay:
		return map[string]int{"wap": 0, "precreate": 1, payment.MethodTransfer: 2, payment.MethodCredit: 3, "page": unfit, "native": unfit, "h5": unfit}
	default:
		return map[string]int{"native": 0, "precreate": 0, "page": 1, payment.MethodTransfer: 2, payment.MethodCredit: 3, "wap": unfit, "h5": unfit}
	}
}

// unfit is the rank of a method that does not work on a device; it is offered
// only if nothing else is.
const unfit = 9

// fitting are the channels that a page can offer, those that suit the device
// first and else in the merchant's order. None of kind jsapi is among them: it
// needs the payer's openid, which a page does not know; a mini program does.
func fitting(channels []payment.Account, d device) []payment.Account {
	rank := ranks(d)
	fit := slices.DeleteFunc(slices.Clone(channels), func(c payment.Account) bool {
		return payment.KindOf(c.Method) == payment.KindJSAPI
	})
	slices.SortStableFunc(fit, func(a, b payment.Account) int { return rank[a.Method] - rank[b.Method] })
	if first := slices.IndexFunc(fit, func(c payment.Account) bool { return rank[c.Method] == unfit }); first > 0 {
		return fit[:first]
	}
	return fit
}
