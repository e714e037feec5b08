package platforms_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/alipay"
	"panshi/internal/clock"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/wechatpay"
	"panshi/sandbox"
)

// rig is a sandbox, a shop's address for callbacks, and the shop's accounts.
type rig struct {
	t      *testing.T
	url    string
	client *http.Client
	notes  chan *http.Request // with the body as it came in Form["body"]
	notify string
	id     identity
	wx     *wechatpay.Account
	ali    *alipay.Account // public-key mode
	cert   *alipay.Account // certificate mode
}

// identity is what the sandbox tells a developer.
type identity struct {
	MchID  string `json:"mchid"`
	AppID  string `json:"app_id"`
	Serial string `json:"merchant_serial"`
	Key    string `json:"merchant_private_key"`
	APIKey string `json:"api_v3_key"`
	KeyID  string `json:"public_key_id"`
	Public string `json:"public_key"`
	Alipay struct {
		AppID    string `json:"app_id"`
		SellerID string `json:"seller_id"`
		AppKey   string `json:"app_private_key"`
		Public   string `json:"alipay_public_key"`
		AppCert  string `json:"app_cert"`
		Cert     string `json:"alipay_cert"`
		Root     string `json:"alipay_root_cert"`
		Gateway  string `json:"gateway"`
	} `json:"alipay"`
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, client: &http.Client{Timeout: 10 * time.Second}, notes: make(chan *http.Request, 1000)}
	shop := httptest.NewServer(http.HandlerFunc(r.hear))
	t.Cleanup(shop.Close)
	r.notify = shop.URL + "/notify"
	box, err := sandbox.New(sandbox.Config{StateFile: filepath.Join(t.TempDir(), "state"), RefundDelay: time.Millisecond})
	require.NoError(t, err)
	server := httptest.NewServer(box.Handler())
	r.url = server.URL
	running, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- box.Run(running) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		server.Close()
		require.NoError(t, box.Close())
	})
	r.enlist()
	return r
}

// hear keeps a callback and acknowledges as each platform wants it.
func (r *rig) hear(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	heard := &http.Request{URL: req.URL, Header: req.Header, Form: map[string][]string{"body": {string(body)}}}
	if strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		_, _ = io.WriteString(w, "success")
	}
	r.notes <- heard
}

func (r *rig) enlist() {
	require.NoError(r.t, json.Unmarshal(r.post("/simulate/merchants", `{"name":"platforms"}`), &r.id))
	id := r.id
	var err error
	r.wx, err = wechatpay.New(wechatpay.Config{
		BaseURL: r.url, MchID: id.MchID, AppID: id.AppID, MerchantSerial: id.Serial, MerchantKeyPEM: id.Key, APIv3Key: id.APIKey,
		PlatformKeys: map[string]string{id.KeyID: id.Public},
	}, r.client, clock.System{})
	require.NoError(r.t, err)
	a := id.Alipay
	cfg := alipay.Config{BaseURL: a.Gateway, AppID: a.AppID, SellerID: a.SellerID, AppKeyPEM: a.AppKey, PublicKey: a.Public}
	r.ali, err = alipay.New(cfg, r.client, clock.System{})
	require.NoError(r.t, err)
	cfg.PublicKey, cfg.AppCert, cfg.AlipayCert, cfg.RootCert = "", a.AppCert, a.Cert, a.Root
	r.cert, err = alipay.New(cfg, r.client, clock.System{})
	require.NoError(r.t, err)
}

func (r *rig) post(path, body string) []byte { return r.send(http.MethodPost, path, body) }

func (r *rig) send(method, path, body string) []byte {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(r.t, err)
	resp, err := r.client.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	require.Equal(r.t, 200, resp.StatusCode, "%s", raw)
	return raw
}

// provider is what both platforms' accounts can do.
type provider interface {
	payment.Provider
	payment.Biller
	ParseNotification(header http.Header, body []byte) (payment.Notification, error)
}

// ways are all accounts and the ways to pay that each has.
func (r *rig) ways() map[string]struct {
	provider
	method string
} {
	type way = struct {
		provider
		method string
	}
	return map[string]way{
		"wx native": {r.wx, wechatpay.Native}, "wx jsapi": {r.wx, wechatpay.JSAPI}, "wx h5": {r.wx, wechatpay.H5},
		"alipay code": {r.ali, alipay.Precreate}, "alipay wap": {r.ali, alipay.Wap}, "alipay page": {r.ali, alipay.Page},
		"alipay certificates": {r.cert, alipay.Precreate},
	}
}

func (r *rig) request(method, no string) payment.Request {
	return payment.Request{
		PaymentNo: no, Method: method, Description: "磐石, 订单", Amount: yuan(1234), NotifyURL: r.notify + "/" + no, ReturnURL: "https://shop.example/o",
		ExpiresAt: time.Now().Add(15 * time.Minute), ClientIP: "127.0.0.1", PayerID: "o-buyer",
	}
}

func yuan(fen int64) money.Amount { return money.Of(fen, money.CNY) }

// follow does what a buyer's client does with an instruction, up to paying an
// amount.
func (r *rig) follow(in payment.Instruction, amount string) {
	switch in.Kind {
	case "redirect":
		req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, in.URL, nil)
		require.NoError(r.t, err)
		resp, err := r.client.Do(req)
		require.NoError(r.t, err)
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		require.NoError(r.t, err)
		require.Equal(r.t, 200, resp.StatusCode, "%s", page)
		require.Contains(r.t, string(page), amount)
	case "jsapi":
		require.NotEmpty(r.t, in.Params["paySign"])
	default:
		require.NotEmpty(r.t, in.CodeURL)
	}
}

// heard waits for a callback about a payment and reads it.
func (r *rig) heard(p provider, no string) payment.Notification {
	r.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case req := <-r.notes:
			if req.URL.Path != "/notify/"+no {
				continue // a refund's, of the account before
			}
			n, err := p.ParseNotification(req.Header, []byte(req.Form["body"][0]))
			require.NoError(r.t, err)
			if n.Payment != nil && n.Payment.PaymentNo == no {
				return n
			}
		case <-deadline:
			r.t.Fatal("no callback came")
		}
	}
}

func TestPayRefundAndBill(t *testing.T) {
	r := newRig(t)
	r.send(http.MethodPut, "/simulate/faults", `{"bills":{"early":true}}`)
	for name, p := range r.ways() {
		no := "P" + strings.ReplaceAll(name, " ", "") + "0001"
		in, err := p.Create(t.Context(), r.request(p.method, no))
		require.NoError(t, err, name)
		r.follow(in, "¥12.34")
		r.post("/simulate/pay", `{"out_trade_no":"`+no+`"}`)
		told := *r.heard(p, no).Payment
		asked, err := p.Query(t.Context(), no)
		require.NoError(t, err, name)
		require.Equal(t, payment.StatePaid, told.State)
		require.Equal(t, yuan(1234), told.Amount)
		require.Equal(t, asked, told, "%s: callback and query say the same", name)
		require.ErrorIs(t, p.Close(t.Context(), no), payment.ErrAlreadyPaid, name)
		r.refunds(name, p, no, told)
	}
}

// refunds gives a payment back in two parts, each told and asked, and finds
// all three movements in the bill.
func (r *rig) refunds(name string, p provider, no string, told payment.Report) {
	t := r.t
	for i, fen := range []int64{1000, 234} {
		back := payment.RefundRequest{
			RefundNo: no + "R" + string(rune('1'+i)), PaymentNo: no, Amount: yuan(fen), Total: yuan(1234), Reason: "缺货", NotifyURL: r.notify + "/" + no,
		}
		for range 2 { // the same number again moves nothing
			_, err := p.Refund(t.Context(), back)
			require.NoError(t, err, name)
		}
		require.Eventually(t, func() bool {
			got, err := p.QueryRefund(t.Context(), no, back.RefundNo)
			return err == nil && got.State == payment.RefundSucceeded && got.Amount == yuan(fen)
		}, 30*time.Second, 5*time.Millisecond, name)
	}
	more := payment.RefundRequest{RefundNo: no + "R3", PaymentNo: no, Amount: yuan(1), Total: yuan(1234)}
	_, err := p.Refund(t.Context(), more)
	require.ErrorIs(t, err, payment.ErrRejected, name)
	_, err = p.QueryRefund(t.Context(), no, no+"R3")
	require.ErrorIs(t, err, payment.ErrNotFound, name)
	asked, err := p.Query(t.Context(), no)
	require.NoError(t, err)
	require.Equal(t, payment.StatePaid, asked.State, "%s: given back wholly, and still paid once", name)

	bill, err := p.Bill(t.Context(), time.Now().In(time.FixedZone("CST", 8*60*60)))
	require.NoError(t, err, name)
	var lines []payment.BillLine
	for _, l := range bill.Lines {
		if l.PaymentNo == no {
			lines = append(lines, l)
		}
	}
	require.Len(t, lines, 3, name)
	require.Equal(t, told.TransactionID, lines[0].TransactionID)
	require.Equal(t, []money.Amount{yuan(1234), yuan(1000), yuan(234)}, []money.Amount{lines[0].Amount, lines[1].Amount, lines[2].Amount})
	require.Equal(t, []string{"", no + "R1", no + "R2"}, []string{lines[0].RefundNo, lines[1].RefundNo, lines[2].RefundNo})
}

func TestUnpaidAndClosed(t *testing.T) {
	r := newRig(t)
	for name, p := range r.ways() {
		no := "U" + strings.ReplaceAll(name, " ", "") + "0001"
		_, err := p.Query(t.Context(), no)
		require.ErrorIs(t, err, payment.ErrNotFound, name)
		require.NoError(t, p.Close(t.Context(), no), "%s: closing what is not there", name)
		in, err := p.Create(t.Context(), r.request(p.method, no))
		require.NoError(t, err, name)
		r.follow(in, "¥12.34")
		for range 2 {
			require.NoError(t, p.Close(t.Context(), no), name)
		}
	}
}

// A forged callback about an order that nobody paid is refused, or says what
// does not fit: amount, merchant, application or number.
func TestForgeries(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]struct {
		provider
		method string
		forges string
	}{
		"wx":     {r.wx, wechatpay.Native, "amount appid ciphertext currency future merchant order reserialized serial signature signtest stale unsigned"},
		"alipay": {r.ali, alipay.Precreate, "amount appid ciphertext merchant order reserialized serial signature signtest unsigned"},
	} {
		no := "F" + name + "0001"
		_, err := c.Create(t.Context(), r.request(c.method, no))
		require.NoError(t, err)
		good := r.forged(c, no, "")
		for _, forge := range strings.Fields(c.forges) {
			n := r.forged(c, no, forge)
			if n == nil {
				continue
			}
			require.NotEqual(t, [4]any{good[0], good[1], good[2], good[3]}, *n, "%s %s", name, forge)
		}
	}
}

// forged has a callback sent and gives what it says, nil if it is refused.
// Without a defect the order is paid first.
func (r *rig) forged(p provider, no, forge string) *[4]any {
	r.t.Helper()
	if forge == "" {
		in := payment.Report{PaymentNo: no, Amount: yuan(1234)}
		return &[4]any{in.PaymentNo, in.Amount, r.merchantOf(p), true}
	}
	r.post("/simulate/callback", `{"out_trade_no":"`+no+`","forge":"`+forge+`"}`)
	req := <-r.notes
	n, err := p.ParseNotification(req.Header, []byte(req.Form["body"][0]))
	if err != nil {
		return nil
	}
	return &[4]any{n.Payment.PaymentNo, n.Payment.Amount, n.Payment.MerchantRef + "/" + n.Payment.AppID, true}
}

func (r *rig) merchantOf(p provider) string {
	if p == provider(r.wx) {
		return r.id.MchID + "/" + r.id.AppID
	}
	return r.id.Alipay.SellerID + "/" + r.id.Alipay.AppID
}

// An order that exists at the platform only when a buyer came cannot be closed
// before, and can be paid after: closing is no promise there.
func TestAnAlipayCodeOutlivesItsClose(t *testing.T) {
	r := newRig(t)
	_, err := r.ali.Create(t.Context(), r.request(alipay.Precreate, "Plate0001"))
	require.NoError(t, err)
	require.NoError(t, r.ali.Close(t.Context(), "Plate0001"))
	r.post("/simulate/pay", `{"out_trade_no":"Plate0001"}`)
	got, err := r.ali.Query(t.Context(), "Plate0001")
	require.NoError(t, err)
	require.Equal(t, payment.StatePaid, got.State)
}

// Faults of the platform leave an outcome unknown, at every call.
func TestFaultsAreUnknownOutcomes(t *testing.T) {
	r := newRig(t)
	for name, p := range map[string]provider{"wx": r.wx, "alipay": r.ali} {
		method := map[string]string{"wx": wechatpay.Native, "alipay": alipay.Precreate}[name]
		for _, fault := range []string{`"status_5xx":1`, `"garbage":true`} {
			for call, do := range map[string]func() error{
				"create": func() error { _, err := p.Create(t.Context(), r.request(method, "E"+name+"0001")); return err },
				"query":  func() error { _, err := p.Query(t.Context(), "E"+name+"0001"); return err },
				"close":  func() error { return p.Close(t.Context(), "E"+name+"0001") },
				"refund": func() error {
					_, err := p.Refund(t.Context(), payment.RefundRequest{RefundNo: "E1", PaymentNo: "E" + name + "0001", Amount: yuan(1), Total: yuan(1)})
					return err
				},
			} {
				r.send(http.MethodPut, "/simulate/faults", `{"api":{`+fault+`}}`)
				require.ErrorIs(t, do(), payment.ErrProviderBusy, "%s %s %s", name, call, fault)
			}
		}
	}
}
