package wechatpay_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/payment"
	"panshi/internal/wechatpay"
)

// What the page hands to the app is signed over four lines, as the
// documentation spells them.
func TestJSAPI(t *testing.T) {
	var got map[string]any
	p := newPlatform(t, func(r *http.Request, body map[string]any) reply {
		require.Equal(t, "/v3/pay/transactions/jsapi", r.RequestURI)
		got = body
		return reply{200, `{"prepay_id":"wx201410272009395522657a690389285100"}`}
	})
	r := order()
	r.Method, r.PayerID = wechatpay.JSAPI, "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	in, err := p.account().Create(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}, got["payer"])
	require.Equal(t, "jsapi", in.Kind)
	h := in.Params
	require.Equal(t, []string{appID, "1777863721", "prepay_id=wx201410272009395522657a690389285100", "RSA"},
		[]string{h["appId"], h["timeStamp"], h["package"], h["signType"]})
	sig, err := base64.StdEncoding.DecodeString(h["paySign"])
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(strings.Join([]string{appID, h["timeStamp"], h["nonceStr"], h["package"]}, "\n") + "\n"))
	require.NoError(t, rsa.VerifyPKCS1v15(&keys().merchant.PublicKey, crypto.SHA256, sum[:], sig))
}

func TestH5(t *testing.T) {
	var got map[string]any
	p := newPlatform(t, func(r *http.Request, body map[string]any) reply {
		require.Equal(t, "/v3/pay/transactions/h5", r.RequestURI)
		got = body
		return reply{200, `{"h5_url":"https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1&package=2"}`}
	})
	r := order()
	r.Method, r.ReturnURL = wechatpay.H5, "https://shop.example/orders/1?x=2"
	in, err := p.account().Create(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"payer_client_ip": "203.0.113.7", "h5_info": map[string]any{"type": "Wap"}}, got["scene_info"])
	require.Equal(t, payment.Instruction{
		Kind: "redirect",
		URL:  "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1&package=2&redirect_url=https%3A%2F%2Fshop.example%2Forders%2F1%3Fx%3D2",
	}, in)
}

// Each way wants its own answer: another's is not what the protocol promises.
func TestAnswersOfAnotherWayAreNotBelieved(t *testing.T) {
	for method, body := range map[string]string{
		wechatpay.Native: `{"prepay_id":"wx1"}`, wechatpay.JSAPI: `{"code_url":"weixin://x"}`, wechatpay.H5: `{"h5_url":"javascript:alert(1)"}`,
	} {
		r := order()
		r.Method, r.PayerID = method, "o1"
		_, err := newPlatform(t, always(200, body)).account().Create(t.Context(), r)
		require.ErrorIs(t, err, payment.ErrProviderBusy, method)
	}
}
