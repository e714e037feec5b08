package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Every step works and costs something.
func TestCryptoSteps(t *testing.T) {
	t.Parallel()
	r := &run{}
	require.NoError(t, r.crypto())
	names := []string{}
	for _, f := range r.report.Figures {
		names = append(names, f.Name)
		require.Positive(t, f.Value, f.Name)
		require.Equal(t, "µs", f.Unit)
	}
	require.Equal(t, []string{"rsa_sign", "rsa_verify", "gcm_decrypt", "alipay_verify", "vault_seal", "vault_unseal"}, names)
}
