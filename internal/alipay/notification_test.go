package alipay_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
	"panshi/internal/payment"
)

// told is a notification of a paid trade, as the platform's pages show one.
func told() url.Values {
	return url.Values{
		"gmt_create": {"2026-05-04 10:59:01"}, "charset": {"utf-8"}, "gmt_payment": {"2026-05-04 11:00:00"},
		"notify_time": {"2026-05-04 11:00:01"}, "subject": {"磐石 + & = %"}, "buyer_id": {"2088000000000009"},
		"invoice_amount": {"88.88"}, "version": {"1.0"}, "notify_id": {"2026050400222110000000000000000000"},
		"fund_bill_list": {`[{"amount":"88.88","fundChannel":"ALIPAYACCOUNT"}]`}, "notify_type": {"trade_status_sync"},
		"out_trade_no": {payNo}, "total_amount": {"88.88"}, "trade_status": {"TRADE_SUCCESS"}, "trade_no": {tradeNo},
		"auth_app_id": {appID}, "receipt_amount": {"88.88"}, "point_amount": {"0.00"}, "app_id": {appID}, "seller_id": {sellerID},
	}
}

func send(form url.Values, leaveOut ...string) []byte {
	form.Set("sign_type", "RSA2")
	form.Set("sign", sign(keys().alipay, signable(form, append(leaveOut, "sign")...)))
	return []byte(form.Encode())
}

func TestNotificationOfAPaidTrade(t *testing.T) {
	a := account(t, config(), client())
	for _, leaveOut := range [][]string{{"sign_type"}, nil} { // some types of notification sign sign_type too
		n, err := a.ParseNotification(nil, send(told(), leaveOut...))
		require.NoError(t, err)
		require.Equal(t, "2026050400222110000000000000000000", n.ID)
		require.Equal(t, payment.Report{
			State: payment.StatePaid, PaymentNo: payNo, TransactionID: tradeNo, Amount: yuan(8888), MerchantRef: sellerID, AppID: appID,
			PaidAt: time.Date(2026, 5, 4, 3, 0, 0, 0, time.UTC),
		}, *n.Payment)
	}
	_, word := a.Acknowledge()
	require.Equal(t, "success", string(word))
}

// Every parameter is under the signature: changed one at a time, none passes.
func TestEveryParameterIsCovered(t *testing.T) {
	a := account(t, config(), client())
	sent, err := url.ParseQuery(string(send(told(), "sign_type")))
	require.NoError(t, err)
	for name := range sent {
		for what, change := range map[string]func(url.Values){
			"changed": func(f url.Values) { f.Set(name, f.Get(name)+"1") }, "removed": func(f url.Values) { f.Del(name) },
		} {
			form, _ := url.ParseQuery(sent.Encode())
			change(form)
			_, err := a.ParseNotification(nil, []byte(form.Encode()))
			require.Error(t, err, name+" "+what)
		}
	}
	more, _ := url.ParseQuery(sent.Encode())
	more.Set("extra", "1")
	_, err = a.ParseNotification(nil, []byte(more.Encode()))
	require.Equal(t, "signature_wrong", errs.CodeOf(err))
}

func TestNotificationsRefused(t *testing.T) {
	a := account(t, config(), client())
	stranger := told()
	stranger.Set("sign_type", "RSA2")
	stranger.Set("sign", sign(keys().stranger, signable(stranger, "sign", "sign_type")))
	twice := string(send(told(), "sign_type")) + "&out_trade_no=P2"
	gbk := told()
	gbk.Set("charset", "GBK")
	old := told()
	old.Set("sign_type", "RSA")
	old.Set("sign", sign(keys().alipay, signable(old, "sign", "sign_type")))
	for name, c := range map[string]struct {
		body []byte
		code string
	}{
		"empty":     {nil, "signature_missing"},
		"no form":   {[]byte("%zz"), "notification_malformed"},
		"json":      {[]byte(`{"trade_status":"TRADE_SUCCESS"}`), "signature_missing"},
		"unsigned":  {[]byte(told().Encode()), "signature_missing"},
		"stranger":  {[]byte(stranger.Encode()), "signature_wrong"},
		"twice":     {[]byte(twice), "notification_malformed"},
		"GBK":       {send(gbk, "sign_type"), "notification_malformed"},
		"RSA":       {[]byte(old.Encode()), "signature_wrong"},
		"crowded":   {[]byte(strings.Repeat("a&", 50) + url.Values(crowd()).Encode()), "notification_malformed"},
		"amount":    {send(with("total_amount", "1,000.00"), "sign_type"), "notification_malformed"},
		"no seller": {send(with("seller_id", ""), "sign_type"), "notification_malformed"},
		"state":     {send(with("trade_status", "TRADE_OTHER"), "sign_type"), "notification_malformed"},
	} {
		_, err := a.ParseNotification(nil, c.body)
		require.Equal(t, c.code, errs.CodeOf(err), name)
	}
}

func crowd() map[string][]string {
	all := map[string][]string{}
	for i := range 101 {
		all["p"+strings.Repeat("x", i)] = []string{"1"}
	}
	return all
}

func with(name, value string) url.Values {
	form := told()
	form.Set(name, value)
	return form
}

func TestOtherNotificationsNeedOnlyAnAnswer(t *testing.T) {
	n, err := account(t, config(), client()).ParseNotification(nil, send(with("notify_type", "open_app_auth_notify")))
	require.NoError(t, err)
	require.Nil(t, n.Payment)
	require.Nil(t, n.Refund)
}

func TestARefundTellsThatItsTradeWasPaid(t *testing.T) {
	form := with("trade_status", "TRADE_CLOSED")
	form.Set("refund_fee", "88.88")
	form.Set("gmt_refund", "2026-05-04 11:30:00.001")
	form.Set("out_biz_no", refundNo)
	n, err := account(t, config(), client()).ParseNotification(nil, send(form, "sign_type"))
	require.NoError(t, err)
	require.Equal(t, payment.StatePaid, n.Payment.State)
	require.True(t, n.Payment.GivenBack)
	require.Equal(t, refundNo, n.RefundNo)
	form.Set("trade_status", "TRADE_SUCCESS") // a part of it
	n, err = account(t, config(), client()).ParseNotification(nil, send(form, "sign_type"))
	require.NoError(t, err)
	require.True(t, n.Payment.GivenBack)
}

func TestNotificationUnderAnotherCertificate(t *testing.T) {
	a := account(t, certConfig(), client())
	_, err := a.ParseNotification(nil, send(with("alipay_cert_sn", strings.Repeat("0", 32)), "sign_type"))
	require.Equal(t, "signature_serial_unknown", errs.CodeOf(err))
	_, err = a.ParseNotification(nil, send(with("alipay_cert_sn", serialOf(t, keys().alipayCert)), "sign_type"))
	require.NoError(t, err)
}
