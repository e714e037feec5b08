package consoleapi

import (
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"panshi/internal/access"
	"panshi/internal/db"
	"panshi/internal/id"
)

const staffPath = "/console/api/v1/staff"

// member writes somebody who never signs in.
func (k *kit) member(merchantID id.ID) string {
	staffID := id.New()
	require.NoError(k.t, k.db.Update(k.ctx(), func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO staff (id, merchant_id, login, role, status, password_hash, password_at, totp_sealed, totp_step, created_at, updated_at)
			VALUES ($1, $2, $3, 'support', 'active', '', 0, $4, 0, 0, 0)`, staffID, merchantID, staffID.String(), []byte{0})
		return err
	}))
	return staffID.String()
}

// begin tries a set-up link.
func (k *kit) begin(status int, token string) object {
	k.t.Helper()
	return k.want(status, ask{method: "POST", path: "/console/api/v1/setup", body: jsonOf(object{"token": token})})
}

// complete chooses a login for a begun set-up.
func (k *kit) complete(status int, token, login string, begun object) object {
	k.t.Helper()
	code, err := totp.GenerateCode(begun["secret"].(string), k.clock.Now())
	require.NoError(k.t, err)
	return k.want(status, ask{method: "POST", path: "/console/api/v1/setup/complete", body: jsonOf(object{
		"token": token, "handle": begun["handle"], "login": login, "password": goodPassword, "code": code,
	})})
}

func (o *owner) invite(role string) (token string, asked object) {
	o.k.t.Helper()
	made := o.want(201, "POST", staffPath+"/invitations", object{"role": role, "reason": "joins the desk"})
	token, ok := strings.CutPrefix(made["path"].(string), "/setup#")
	require.True(o.k.t, ok)
	return token, made["approval"].(map[string]any)
}

// From the invitation to the day when somebody leaves: the link opens nothing
// before a second person approved, makes what was approved and no more, once,
// and who is shut out is out at once.
func TestStaffComeAndGo(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen, li := k.owner(k.one, "chen"), k.colleague("liming", access.Operator)
	chen.signIn()
	token, asked := chen.invite("support")
	require.Equal(t, map[string]any{"role": "support"}, asked["detail"])
	require.NotContains(t, jsonOf(asked), token)
	k.begin(403, token)
	chen.approve(403, asked) // the maker is no checker
	k.begin(403, token)
	li.signIn()
	li.approve(200, asked)
	chen.signIn()
	other, otherAsked := chen.invite("auditor")
	li.signIn()
	li.approve(200, otherAsked)
	k.begin(200, other) // two invitations stand side by side

	begun := k.begin(200, token)
	k.complete(200, token, "wang", begun)
	k.begin(403, token)
	wang := &owner{k: k, login: "wang", secret: begun["secret"].(string)}
	wang.signIn()
	me := wang.want(200, "GET", sessionPath, nil)
	require.Equal(t, "support", me["role"])
	wang.want(403, "GET", staffPath, nil)

	chen.signIn()
	members := chen.want(200, "GET", staffPath, nil)["items"].([]any)
	require.Len(t, members, 3)
	last := members[2].(map[string]any)
	require.Equal(t, []any{"wang", "support", true}, []any{last["login"], last["role"], last["active"]})
	wang.signIn()
	chen.signIn()
	chen.want(204, "POST", staffPath+"/"+last["id"].(string)+"/disable", nil)
	wang.want(401, "GET", sessionPath, nil)
	k.clock.Advance(time.Hour)
	require.Equal(t, 401, k.do(ask{method: "POST", path: sessionPath, body: jsonOf(object{"login": "wang", "password": goodPassword, "code": wang.code()})}).Code)
	chen.signIn()
	chen.want(404, "POST", staffPath+"/"+last["id"].(string)+"/disable", nil)
	k.checked()
}

func TestNobodyInvitesAnOwnerOrShutsThemselvesOut(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen := k.owner(k.one, "chen")
	chen.want(422, "POST", staffPath+"/invitations", object{"role": "owner", "reason": "x"})
	mine := chen.want(200, "GET", staffPath, nil)["items"].([]any)[0].(map[string]any)
	require.Equal(t, "staff_self", chen.want(409, "POST", staffPath+"/"+mine["id"].(string)+"/disable", nil)["code"])
}

// In a shop of one person an invitation waits as every request does: who has
// stolen a session cannot bring a checker along at once.
func TestAloneAnInvitationWaits(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen := k.owner(k.one, "chen")
	token, asked := chen.invite("operator")
	require.NotEmpty(t, asked["decidable_from"])
	require.Equal(t, "approval_early", chen.approve(409, asked)["code"])
	k.begin(403, token)
}

func TestAnInvitationEnds(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen, li := k.owner(k.one, "chen"), k.colleague("liming", access.Operator)
	chen.signIn()
	token, asked := chen.invite("support")
	li.signIn()
	li.approve(200, asked)
	k.begin(200, token)
	k.clock.Advance(25 * time.Hour)
	k.begin(403, token)
}
