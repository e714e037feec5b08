package sandbox

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A callback that was signed beforehand is the one that the platform would
// send: it proves itself, it opens, and it says that the trade is paid.
func TestPresign(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	got := s.call(http.MethodPost, "/v3/pay/transactions/native", s.nativeBody("PRESIGN1", nil))
	require.Equal(t, http.StatusOK, got.status, "%s", got.raw)
	c, err := r.box.Presign("PRESIGN1")
	require.NoError(t, err)
	require.NoError(t, proves(s.plat, c.Header, c.Body))
	var e envelope
	require.NoError(t, json.Unmarshal(c.Body, &e))
	plain, err := s.open(e.Resource.Additional, e.Resource.Nonce, e.Resource.Ciphertext)
	require.NoError(t, err)
	require.Contains(t, string(plain), `"out_trade_no":"PRESIGN1"`)
	require.Contains(t, string(plain), `"trade_state":"SUCCESS"`)
	again, err := r.box.Presign("PRESIGN1")
	require.NoError(t, err)
	require.Equal(t, c.URL, again.URL)
	_, err = r.box.Presign("NOBODY")
	require.Error(t, err)
}
