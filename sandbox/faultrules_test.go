package sandbox

import (
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each fault of an endpoint as a shop meets it, and only there, only so often.
func TestRulesOfEndpoints(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	// A client that keeps connections would ask again by itself.
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	query := func() (status int, head http.Header, err error) {
		resp, err := client.Do(s.request("GET", "/v3/certificates", ""))
		if err != nil {
			return 0, nil, err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, resp.Header, err
	}
	for _, c := range []struct {
		rule string
		want func(status int, head http.Header, err error)
	}{
		{`"fault":"reset"`, func(_ int, _ http.Header, err error) { require.ErrorContains(t, err, "reset") }},
		{`"fault":"half"`, func(_ int, _ http.Header, err error) { require.ErrorContains(t, err, "unexpected EOF") }},
		{`"fault":"5xx"`, func(status int, head http.Header, err error) { require.NoError(t, err); require.Equal(t, 500, status) }},
		{`"fault":"garbage"`, func(status int, head http.Header, err error) {
			require.NoError(t, err)
			require.Empty(t, head.Get("Wechatpay-Signature"))
		}},
		{`"fault":"skew","skew_s":-900`, func(status int, head http.Header, err error) {
			require.NoError(t, err)
			at, err := strconv.ParseInt(head.Get("Wechatpay-Timestamp"), 10, 64)
			require.NoError(t, err)
			require.InDelta(t, time.Now().Unix()-900, at, 60)
		}},
		{`"fault":"latency","ms":30`, func(status int, head http.Header, err error) { require.NoError(t, err); require.Equal(t, 200, status) }},
	} {
		doc := `{"rules":[{` + c.rule + `,"on":["certificates"],"count":1,"merchant":"` + s.id.MchID + `"}]}`
		require.Equal(t, 200, r.dev("PUT", "/simulate/faults", doc).status, doc)
		require.Equal(t, 404, s.call("GET", "/v3/pay/transactions/out-trade-no/NONE0001?mchid="+s.id.MchID, "").status, "another endpoint is well")
		c.want(query())
		status, _, err := query()
		require.NoError(t, err, "once only: %s", doc)
		require.Equal(t, 200, status)
	}
}

// Rules choose by merchant, by time and by probability.
func TestRulesChoose(t *testing.T) {
	now := time.Now()
	board := &faultBoard{}
	board.put(faults{Rules: []faultRule{
		{Fault: fault5xx, Merchant: "1900000001", AfterS: 10, ForS: 5},
		{Fault: faultDrop, Probability: 0.5},
	}}, now)
	for at, want := range map[time.Duration]bool{0: false, 10 * time.Second: true, 14 * time.Second: true, 15 * time.Second: false} {
		require.Equal(t, want, board.nextAPI("query", "1900000001", now.Add(at)).any(), at)
		require.False(t, board.nextAPI("query", "1900000002", now.Add(at)).any(), "another merchant")
	}
	dropped := 0
	for range 1000 {
		var f callbackFaults
		f.bend(board.callbackHits("1", now))
		if f.Drop {
			dropped++
		}
	}
	require.InDelta(t, 500, dropped, 150) // nine standard deviations
}

func TestRulesRefused(t *testing.T) {
	r := newRig(t, nil)
	for _, rule := range []string{
		`"fault":"fire"`, `"fault":"drop","on":["query"]`, `"fault":"5xx","on":["callback"]`, `"fault":"5xx","on":["moon"]`,
		`"fault":"5xx","probability":2`, `"fault":"latency","ms":-1`, `"fault":"skew","skew_s":100000`, `"fault":"5xx","count":-1`,
	} {
		require.Equal(t, 400, r.dev("PUT", "/simulate/faults", `{"rules":[{`+rule+`}]}`).status, rule)
	}
}

// A callback can be changed member by member and is signed as it is sent.
func TestAlter(t *testing.T) {
	text, err := alter(map[string]any{"a": map[string]int64{"b": 9007199254740993}, "c": "x"}, map[string]any{"c": nil, "a.d": 1, "envelope.e": 2}, "")
	require.NoError(t, err)
	require.Contains(t, string(text), `"b":9007199254740993`) // not by way of a float
	require.JSONEq(t, `{"a":{"b":9007199254740993,"d":1}}`, string(text))
	text, err = alter(map[string]any{"e": 1}, map[string]any{"c": nil, "envelope.e": 2}, inEnvelope)
	require.NoError(t, err)
	require.JSONEq(t, `{"e":2}`, string(text))
}
