package sandbox

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The Alipay side of the platform: one gateway, whose method is a parameter. It keeps to the open platform's
// documentation on signing (RSA2 over the sorted parameters of a request, over the raw member of an answer) and shares
// trades, refunds and callbacks with the rest of the sandbox.

// channelAlipay marks the trades that came in by the gateway.
const channelAlipay = "alipay"

const (
	aliTime = "2006-01-02 15:04:05"
	aliPath = "/alipay/gateway.do"
)

// aliCall is one authenticated request to the gateway.
type aliCall struct {
	r        *http.Request
	form     url.Values
	merchant *merchant
	certs    bool // the application works with certificates
	now      time.Time
}

func (c *aliCall) content(dst any) error {
	return decodeJSON([]byte(c.form.Get("biz_content")), dst, false)
}

// aliError is a refusal in the gateway's words.
type aliError struct {
	code, sub, message string
	gateway            bool // under error_response: the gateway itself refused
}

func (e *aliError) Error() string { return e.sub }

func errAli(sub, message string) *aliError {
	return &aliError{code: "40004", sub: "ACQ." + sub, message: message}
}

func errAliParam(message string) *aliError {
	return &aliError{code: "40002", sub: "isv.invalid-parameter", message: message}
}

func errAliSign(message string) *aliError {
	return &aliError{code: "40002", sub: "isv.invalid-signature", message: message, gateway: true}
}

// aliEndpoint answers a call with the members of its answer.
type aliEndpoint func(*aliCall) (map[string]any, error)

// aliMethods are the interfaces that answer; the two that are pages stand in aliPages.
func (s *Sandbox) aliMethods() map[string]aliEndpoint {
	return map[string]aliEndpoint{
		"alipay.trade.precreate":                         s.aliPrecreate,
		"alipay.trade.query":                             s.aliQuery,
		"alipay.trade.close":                             s.aliClose,
		"alipay.trade.refund":                            s.aliRefund,
		"alipay.trade.fastpay.refund.query":              s.aliRefundQuery,
		"alipay.data.dataservice.bill.downloadurl.query": s.aliBillURL,
	}
}

// aliProduct is what product_code must be for each page.
func aliPages() map[string]string {
	return map[string]string{"alipay.trade.wap.pay": "QUICK_WAP_WAY", "alipay.trade.page.pay": "FAST_INSTANT_TRADE_PAY"}
}

// gateway serves both: programs post and get a signed answer, browsers come to pay and are led to the page of the
// trade.
func (s *Sandbox) gateway(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		s.aliSend(w, "", false, nil, errAliParam("the parameters cannot be read"))
		return
	}
	method := r.Form.Get("method")
	if _, page := aliPages()[method]; page {
		s.aliPage(w, r)
		return
	}
	fault := s.faults.nextAPI(method, "", s.now())
	if fault.any() && !fault.after {
		s.aliMisbehave(w, r, fault, func() (*aliCall, map[string]any, error) { return s.aliPerform(r, method) })
		return
	}
	c, members, err := s.aliPerform(r, method)
	if fault.any() {
		s.aliMisbehave(w, r, fault, func() (*aliCall, map[string]any, error) { return c, members, err })
		return
	}
	s.aliSend(w, method, c != nil && c.certs, members, err)
}

// aliMisbehave waits as the fault demands, then sends its false answer, or the true one if it only delays.
func (s *Sandbox) aliMisbehave(w http.ResponseWriter, r *http.Request, f apiFault, truth func() (*aliCall, map[string]any, error)) {
	if !pause(r.Context(), f.hang) {
		return
	}
	switch {
	case f.reset:
		reset(w)
	case f.fail != nil:
		s.aliSend(w, r.Form.Get("method"), r.Form.Get("app_cert_sn") != "", nil, injectedAli(f.fail.Code))
	case f.garbage:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><title>gateway</title>\x00\xff not json")) // as answer.plain
	default:
		c, members, err := truth()
		if f.half {
			w = halfWriter{w}
		}
		s.aliSend(w, r.Form.Get("method"), c != nil && c.certs, members, err)
	}
}

// injectedAli spells a fault's code as the gateway does.
func injectedAli(code string) *aliError {
	if code == "SYSTEM_ERROR" {
		return &aliError{code: "20000", sub: "aop.ACQ.SYSTEM_ERROR", message: "injected by /simulate/faults"}
	}
	return errAli(code, "injected by /simulate/faults")
}

func (s *Sandbox) aliPerform(r *http.Request, method string) (c *aliCall, members map[string]any, err error) {
	endpoint, known := s.aliMethods()[method]
	if !known {
		return nil, nil, &aliError{code: "40002", sub: "isv.invalid-method", message: "no such method", gateway: true}
	}
	c, err = s.aliAuthenticate(r)
	if err == nil {
		members, err = endpoint(c)
	}
	if lost := s.durable(); lost != nil {
		err = lost // as in perform: even a refusal tells of state
	}
	return c, members, err
}

// aliAuthenticate finds the application that signed a request. The signature covers every parameter but itself.
func (s *Sandbox) aliAuthenticate(r *http.Request) (*aliCall, error) {
	form, now := r.Form, s.now()
	for name, values := range form { // charset may stand in the address too
		if len(slices.Compact(values)) != 1 {
			return nil, errAliParam(name + " stands twice")
		}
	}
	var m *merchant
	s.view(func(st *state) { m = st.byAliApp[form.Get("app_id")] })
	at, err := time.ParseInLocation(aliTime, form.Get("timestamp"), beijing())
	switch {
	case m == nil:
		return nil, &aliError{code: "40002", sub: "isv.invalid-app-id", message: "no such app_id", gateway: true}
	case form.Get("sign_type") != "RSA2" || !strings.EqualFold(form.Get("charset"), "utf-8") || form.Get("version") != "1.0":
		return nil, errAliParam("sign_type RSA2, charset utf-8 and version 1.0 are spoken here")
	case err != nil || now.Sub(at).Abs() > 15*time.Minute:
		return nil, errAliParam("timestamp is not within 15 minutes, in Beijing's time")
	case !verifies(m.public, aliContent(form, "sign"), form.Get("sign")):
		return nil, errAliSign("the signature does not verify")
	}
	c := &aliCall{r: r, form: form, merchant: m, now: now, certs: form.Get("app_cert_sn") != ""}
	return c, s.checkAliCerts(c)
}

// checkAliCerts: an application that names its certificate must name the root too, and both as they are.
func (s *Sandbox) checkAliCerts(c *aliCall) error {
	if !c.certs {
		return nil
	}
	var ali *aliIdentity
	s.view(func(st *state) { ali = st.platform.ali })
	app, err := ali.appCert(c.merchant)
	if err != nil {
		return err
	}
	if c.form.Get("app_cert_sn") != aliSerial(app) || c.form.Get("alipay_root_cert_sn") != aliSerial(ali.root) {
		return &aliError{code: "40002", sub: "isv.missing-signature-config", message: "unknown certificate", gateway: true}
	}
	return nil
}

// aliContent spells parameters as they are signed.
func aliContent(form url.Values, leaveOut ...string) string {
	names := make([]string, 0, len(form))
	for name := range form {
		if !slices.Contains(leaveOut, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	pairs := make([]string, len(names))
	for i, name := range names {
		pairs[i] = name + "=" + form.Get(name)
	}
	return strings.Join(pairs, "&")
}

// aliSend writes an answer: the member named after the method, and the signature over its bytes.
func (s *Sandbox) aliSend(w http.ResponseWriter, method string, certs bool, members map[string]any, failure error) {
	name := strings.ReplaceAll(method, ".", "_") + "_response"
	if failure != nil {
		refusal := asAliError(failure)
		s.log.Info("sandbox refused", "method", method, "code", refusal.code, "sub_code", refusal.sub)
		members = map[string]any{"code": refusal.code, "msg": "Business Failed", "sub_code": refusal.sub, "sub_msg": refusal.message}
		if refusal.gateway {
			name = "error_response"
		}
	} else {
		members["code"], members["msg"] = "10000", "Success"
	}
	var ali *aliIdentity
	s.view(func(st *state) { ali = st.platform.ali })
	node := encode(members)
	sig, err := signer{key: ali.key}.sign(string(node))
	if err != nil {
		s.log.Error("sandbox cannot sign", "error", err)
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	cert := ""
	if certs {
		cert = `"alipay_cert_sn":"` + aliSerial(ali.cert) + `",`
	}
	w.Header().Set("Content-Type", "text/html;charset=utf-8") // as the gateway says
	out := `{"` + name + `":` + string(node) + `,` + cert + `"sign":"` + sig + `"}`
	_, _ = io.WriteString(w, out) //nolint:gosec // JSON to a program; whoever has gone is not told
}

// asAliError turns any error into a refusal.
func asAliError(err error) *aliError {
	switch e := err.(type) { //nolint:errorlint // these are never wrapped here
	case *aliError:
		return e
	case *apiError:
		if e.Code == "SYSTEM_ERROR" {
			return &aliError{code: "20000", sub: "isp.unknow-error", message: e.Message}
		}
		return errAliParam(e.Message)
	}
	return &aliError{code: "20000", sub: "isp.unknow-error", message: "internal error of the sandbox"}
}

func beijing() *time.Location { return time.FixedZone("CST", 8*60*60) }
