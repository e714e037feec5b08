package kit

import (
	"context"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"
)

// Approval is a request that another person decides.
type Approval struct{ ID, Digest string }

// Approve decides a request that somebody else made.
func (o *Staff) Approve(ctx context.Context, a Approval) error {
	return o.Try(ctx, http.MethodPost, "approvals/"+a.ID+"/approve", map[string]any{"code": o.code(), "digest": a.Digest}, nil)
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
func (o *Staff) GrantByTwo(other *Staff, email string, amount int64) Credit {
	o.t.Helper()
	var asked Approval
	o.Do(http.MethodPost, "credits/grants/request", map[string]any{"email": email, "amount": amount, "reason": "the first card was broken"}, &asked)
	require.NoError(o.t, other.Approve(o.t.Context(), asked))
	var found struct{ Items []struct{ ID string } }
	o.Do(http.MethodPost, "credits/find", map[string]any{"email": strings.ToUpper(email)}, &found)
	require.Len(o.t, found.Items, 1)
	c := Credit{ID: found.Items[0].ID}
	o.Do(http.MethodPost, "credits/"+c.ID+"/code", map[string]any{"reason": "by phone"}, &c)
	return c
}

// BecomeCredit has an order's money become store credit: all that is left, or
// the part that has amount or lines.
func (o *Staff) BecomeCredit(order Placed, c Credit, part map[string]any) {
	o.t.Helper()
	body := map[string]any{"to": "credit", "credit_id": c.ID}
	maps.Copy(body, part)
	_, err := o.Refund(o.t.Context(), order, body)
	require.NoError(o.t, err)
}
