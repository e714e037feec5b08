package access

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/jobs"
	"panshi/internal/money"
	"panshi/internal/vault"
)

// person makes a second member of staff: one of merchant two who moves over.
func (k *kit) person(login string, role Role) *owner {
	o := k.owner(k.two, login)
	require.NoError(k.t, k.db.Update(k.ctx(), func(tx *db.Tx) error {
		if _, err := tx.Exec(`UPDATE staff SET merchant_id = $1, role = $2 WHERE login = $3`, k.one, string(role), login); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE staff_recovery_codes SET merchant_id = $1 WHERE merchant_id = $2`, k.one, k.two)
		return err
	}))
	return o
}

func (o *owner) principal() Principal {
	p := Principal{Login: o.login, MerchantID: o.k.one, Role: Owner, Permissions: Owner.Permissions()}
	require.NoError(o.k.t, o.k.db.View(o.k.ctx(), func(tx *db.Tx) error {
		return tx.Get([]any{&p.StaffID}, `SELECT id FROM staff WHERE login = $1`, o.login)
	}))
	return p
}

// approvals have one effect, which leaves a record.
func (k *kit) approvals(alert Alert) *Approvals {
	return NewApprovals(k.access, map[string]Effect{"test": func(tx *db.Tx, d Decision) error {
		if string(d.Exact) == "fail" {
			return errors.New("no effect")
		}
		return audit.RecordTx(tx, audit.Record{
			MerchantID: d.Approval.MerchantID, Actor: d.By.Actor, Action: "effect." + string(d.Exact), SubjectKind: "test", SubjectID: d.Approval.SubjectID,
		})
	}}, alert)
}

func told(context.Context, Approval) error { return nil }

func (k *kit) request(p Principal, exact string) (a Approval) {
	require.NoError(k.t, k.db.Update(k.ctx(), func(tx *db.Tx) (err error) {
		a, err = RequestApprovalTx(tx, k.access.vault, Maker{Actor: audit.Actor{Kind: "staff", ID: p.StaffID.String()}}, ApprovalRequest{
			MerchantID: k.one, Kind: "test", SubjectKind: "test", SubjectID: id.New(), Amount: money.Of(500, money.CNY),
			Reason: "because", Detail: map[string]string{"what": "it"}, Exact: []byte(exact),
		})
		return err
	}))
	return a
}

func (k *kit) effects() int {
	return k.count(`SELECT COUNT(*) FROM audit_records WHERE action LIKE 'effect.%'`)
}

func TestMakerIsNotChecker(t *testing.T) {
	k := newKit(t)
	chen, wu := k.owner(k.one, "chen"), k.person("wu-two", Operator)
	maker, checker := chen.principal(), wu.principal()
	s := k.approvals(told)
	a := k.request(maker, "x")
	require.True(t, a.AloneFrom.IsZero(), "there are two")
	try := func(o *owner, p Principal, code string, digest []byte) error {
		k.nextCode()
		if code == "" {
			code = o.code(0)
		}
		_, err := s.Approve(t.Context(), p, a.ID, code, digest)
		return err
	}
	k.requireCode(try(chen, maker, "", a.Digest), "approval_self")
	k.requireCode(try(wu, checker, "", append([]byte{1}, a.Digest[1:]...)), "approval_changed")
	k.requireCode(try(wu, checker, "000000", a.Digest), "sign_in_failed")
	foreign := checker
	foreign.MerchantID = k.two
	k.requireCode(try(wu, foreign, "", a.Digest), "approval_not_found")
	_, err := s.Reject(t.Context(), maker, a.ID, "")
	k.requireCode(err, "approval_self")
	_, err = s.Withdraw(t.Context(), checker, a.ID)
	k.requireCode(err, "approval_not_maker")
	require.Zero(t, k.effects())

	require.NoError(t, try(wu, checker, "", a.Digest))
	k.requireCode(try(wu, checker, "", a.Digest), "approval_decided")
	require.Equal(t, 1, k.effects())
	done, err := s.Get(t.Context(), k.one, a.ID)
	require.NoError(t, err)
	require.Equal(t, ApprovalApproved, done.Status)
	require.Nil(t, done.sealed, "what was sealed is gone")

	a = k.request(maker, "fail")
	require.ErrorContains(t, try(wu, checker, "", a.Digest), "no effect")
	_, err = s.Reject(t.Context(), checker, a.ID, "no")
	require.NoError(t, err, "an effect that fails leaves the request waiting")

	a = k.request(maker, "late")
	k.clock.Advance(approvalLife)
	k.requireCode(try(wu, checker, "", a.Digest), "approval_expired")
	more, err := s.expire(t.Context())
	require.NoError(t, err)
	require.False(t, more)
	require.Equal(t, 1, k.effects())
	require.Zero(t, k.count(`SELECT COUNT(*) FROM approvals WHERE effect_sealed IS NOT NULL`))
	for _, inv := range Invariants() {
		require.Zero(t, k.count(`SELECT COUNT(*) FROM (`+inv.Query+`) broken`), inv.Name)
	}
}

func TestACodeDecidesOnce(t *testing.T) {
	k := newKit(t)
	chen, wu := k.owner(k.one, "chen"), k.person("wu-two", Owner)
	s := k.approvals(told)
	first, second := k.request(chen.principal(), "a"), k.request(chen.principal(), "b")
	_, err := s.Approve(t.Context(), wu.principal(), first.ID, wu.code(0), first.Digest)
	require.NoError(t, err)
	_, err = s.Approve(t.Context(), wu.principal(), second.ID, wu.code(0), second.Digest)
	k.requireCode(err, "sign_in_failed")
	require.Equal(t, 1, k.effects())
}

func TestAShopOfOnePersonWaitsAndTells(t *testing.T) {
	k := newKit(t)
	chen := k.owner(k.one, "chen")
	maker := chen.principal()
	var alerts []id.ID
	s := k.approvals(func(_ context.Context, a Approval) error {
		alerts = append(alerts, a.ID)
		return nil
	})
	a := k.request(maker, "x")
	approve := func() error {
		k.nextCode()
		_, err := s.Approve(t.Context(), maker, a.ID, chen.code(0), a.Digest)
		return err
	}
	require.Equal(t, 1, k.count(`SELECT COUNT(*) FROM jobs WHERE kind = 'approval.alert'`))
	k.requireCode(approve(), "approval_early")
	k.clock.Advance(aloneDelay)
	k.requireCode(approve(), "approval_early") // nobody was told
	for range 2 {
		require.NoError(t, s.SendAlert(t.Context(), jobs.Job{MerchantID: k.one, SubjectID: a.ID}))
	}
	require.Equal(t, []id.ID{a.ID}, alerts)
	k.person("wu-two", Operator)
	k.requireCode(approve(), "approval_self") // not alone any more
	require.NoError(t, k.db.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE staff SET status = 'disabled' WHERE login = $1`, "wu-two")
		return err
	}))
	require.NoError(t, approve())
	require.Equal(t, 1, k.effects())
}

// TestParallelApprovalsHaveOneEffect leaves the second factor out, whose charge
// and single use would let few through: the row alone must hold. (C12)
func TestParallelApprovalsHaveOneEffect(t *testing.T) {
	k := newKit(t)
	maker, checker := k.owner(k.one, "chen").principal(), k.person("wu-two", Owner).principal()
	s := k.approvals(told)
	a := k.request(maker, "x")
	var wg sync.WaitGroup
	var done, decided atomic.Int64
	for range 1000 {
		wg.Go(func() {
			err := k.db.Update(k.ctx(), func(tx *db.Tx) error { return s.approveTx(tx, checker, a.ID, a.Digest, "") })
			switch {
			case err == nil:
				done.Add(1)
			case errors.Is(err, errApprovalDecided):
				decided.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, done.Load())
	require.EqualValues(t, 999, decided.Load())
	require.Equal(t, 1, k.effects())
}

// TestWhatIsDoneIsWhatWasAsked: an effect that was swapped in the database is
// not done, though its seal is good.
func TestWhatIsDoneIsWhatWasAsked(t *testing.T) {
	k := newKit(t)
	maker, checker := k.owner(k.one, "chen").principal(), k.person("wu-two", Owner).principal()
	s := k.approvals(told)
	a := k.request(maker, "x")
	other, err := k.access.vault.Seal(vault.Payment, approvalCell(a.ID), []byte("y"))
	require.NoError(t, err)
	require.NoError(t, k.db.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE approvals SET effect_sealed = $1 WHERE id = $2`, other, a.ID)
		return err
	}))
	err = k.db.Update(t.Context(), func(tx *db.Tx) error { return s.approveTx(tx, checker, a.ID, a.Digest, "") })
	k.requireCode(err, "approval_broken")
	require.Zero(t, k.effects())
}
