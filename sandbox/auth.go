package sandbox

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	authScheme = "WECHATPAY2-SHA256-RSA2048"
	maxSkew    = 5 * time.Minute
)

// authenticate returns the merchant that signed r, whose raw body is given. Every failure is SIGN_ERROR.
func (s *Sandbox) authenticate(r *http.Request, body []byte, now time.Time) (*merchant, error) {
	params, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseInt(params["timestamp"], 10, 64)
	if err != nil {
		return nil, errSign("Authorization: timestamp must be Unix seconds")
	}
	if skew := now.Sub(time.Unix(seconds, 0)).Abs(); skew > maxSkew {
		return nil, errSign("Authorization: timestamp is more than 5 minutes from now")
	}
	var m *merchant
	s.view(func(st *state) { m = st.byMchID[params["mchid"]] })
	if m == nil {
		return nil, errSign("Authorization: no such mchid")
	}
	if m.Serial != params["serial_no"] {
		return nil, errSign("Authorization: serial_no is not the merchant's")
	}
	message := r.Method + "\n" + requestTarget(r) + "\n" + params["timestamp"] + "\n" + params["nonce_str"] + "\n" +
		string(body) + "\n"
	if !verifies(m.public, message, params["signature"]) {
		return nil, errSign("Authorization: the signature does not verify")
	}
	return m, nil
}

// requestTarget is path and query exactly as they were sent.
func requestTarget(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// parseAuthorization splits the header into its five parameters, each present exactly once.
func parseAuthorization(header string) (map[string]string, error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if scheme != authScheme {
		return nil, errSign("Authorization: the scheme must be " + authScheme)
	}
	params := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, quoted, ok := strings.Cut(strings.TrimSpace(part), "=")
		value, opened := strings.CutPrefix(quoted, `"`)
		value, closed := strings.CutSuffix(value, `"`)
		if _, twice := params[name]; !ok || !opened || !closed || twice {
			return nil, errSign("Authorization: malformed parameters")
		}
		params[name] = value
	}
	for _, name := range []string{"mchid", "nonce_str", "timestamp", "serial_no", "signature"} {
		if params[name] == "" {
			return nil, errSign("Authorization: " + name + " is missing")
		}
	}
	return params, nil
}
