package app

import "panshi/internal/payment"

// The platforms that accounts can be stored for.
const (
	providerWechatPay = "wechatpay"
	providerAlipay    = "alipay"
)

// channel is a way to pay as buyers read it until a merchant names it otherwise.
type channel struct {
	provider, method, name, nameEN string
}

// channels are all ways to pay, the one to offer first first.
func channels() []channel {
	return []channel{
		{providerWechatPay, "native", "微信支付", "WeChat Pay"},
		{providerAlipay, "precreate", "支付宝", "Alipay"},
		{providerAlipay, "wap", "支付宝（手机网页）", "Alipay (phone browser)"},
		{providerAlipay, "page", "支付宝（电脑网页）", "Alipay (web page)"},
		{providerWechatPay, "h5", "微信支付（手机浏览器）", "WeChat Pay (phone browser)"},
		{providerWechatPay, "jsapi", "微信支付（微信内）", "WeChat Pay (inside WeChat)"},
		{payment.Offline, payment.MethodTransfer, "银行转账", "Bank transfer"},
		{payment.Balance, payment.MethodCredit, "店铺余额", "Store credit"},
	}
}

// channelOf finds a platform's way to pay; for method "" its first.
func channelOf(provider, method string) (channel, bool) {
	for _, c := range channels() {
		if c.provider == provider && (method == "" || c.method == method) {
			return c, true
		}
	}
	return channel{}, false
}

// methodsOf are the methods of a platform, the one to offer first first.
func methodsOf(provider string) []string {
	var methods []string
	for _, c := range channels() {
		if c.provider == provider {
			methods = append(methods, c.method)
		}
	}
	return methods
}
