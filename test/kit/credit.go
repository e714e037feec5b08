package kit

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Approval is a request that another person decides.
type Approval struct{ ID, Digest string }

// Approve decides a request that somebody else made.
func (o *Staff) Approve(ctx context.Context, a Approval) error {
	code := o.recovery[0]
	o.recovery = o.recovery[1:]
	return o.Do(ctx, http.MethodPost, "approvals/"+a.ID+"/approve", map[string]any{"code": code, "digest": a.Digest}, nil)
}

// Credit is an account of store credit and what opens it.
type Credit struct{ ID, Number, Code string }

// CreditOn switches paying by store credit on.
func (s *Shop) CreditOn() {
	s.t.Helper()
	settings := filepath.Join(s.t.TempDir(), "balance.json")
	require.NoError(s.t, os.WriteFile(settings, []byte("{}"), 0o600))
	r := s.Run("account", "put", "balance", settings)
	require.Zero(s.t, r.Code, "%s%s", r.Out, r.Err)
}

// GrantByTwo grants credit to a new account, which o asks for and other allows,
// and has its code issued.
func (o *Staff) GrantByTwo(t testing.TB, other *Staff, email string, amount int64) Credit {
	t.Helper()
	var asked Approval
	o.must(t, http.MethodPost, "credits/grants/request", map[string]any{"email": email, "amount": amount, "reason": "the first card was broken"}, &asked)
	require.NoError(t, other.Approve(t.Context(), asked))
	var found struct{ Items []struct{ ID string } }
	o.must(t, http.MethodPost, "credits/find", map[string]any{"email": strings.ToUpper(email)}, &found)
	require.Len(t, found.Items, 1)
	c := Credit{ID: found.Items[0].ID}
	o.must(t, http.MethodPost, "credits/"+c.ID+"/code", map[string]any{"reason": "by phone"}, &c)
	return c
}

// BecomeCredit orders all of an order's money to become store credit.
func (o *Staff) BecomeCredit(t testing.TB, order Placed, c Credit) {
	t.Helper()
	o.must(t, http.MethodPost, "orders/"+order.No+"/refund", map[string]string{"reason": "test", "to": "credit", "credit_id": c.ID}, nil)
}
