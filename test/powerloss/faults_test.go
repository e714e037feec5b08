package powerloss

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
	"panshi/test/powerloss/disk"
)

// answer is what the shop says to one order, asked once.
type answer struct {
	status int
	code   string
	detail string
	placed kit.Placed
}

// order asks once, and does not insist as buyers' programs do.
func (w *world) order() answer {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{
		"lines": []kit.Line{{SKU: w.sku, Quantity: 1}}, "contact": kit.Contact{Email: "once@shop.example"},
	})
	require.NoError(w.t, err)
	status, _, raw, err := w.client.Raw(w.t.Context(), http.MethodPost, "/api/v1/orders",
		map[string]string{"Idempotency-Key": kit.NewKey()}, bytes.NewReader(body))
	require.NoError(w.t, err)
	a := answer{status: status}
	var problem kit.Problem
	if status == http.StatusCreated {
		require.NoError(w.t, json.Unmarshal(raw, &a.placed))
		w.promises.write(a.placed, 1)
		return a
	}
	require.NoError(w.t, json.Unmarshal(raw, &problem), "%s", raw)
	a.code, a.detail = problem.Code, problem.Detail
	return a
}

// TestEIO: once an fsync has failed nobody knows what the disk has, and the
// next fsync may claim that all is well. The shop acknowledges nothing more, and
// all that it acknowledged before survives a power loss.
func TestEIO(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]disk.SyncFault{"once": disk.SyncFailsOnce, "for good": disk.SyncFails} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, seedOf(t))
			for _, a := range w.failSync(fault) {
				require.Equal(t, http.StatusServiceUnavailable, a.status, "%+v", a)
				require.Contains(t, []string{"storage_failed", "outcome_unknown"}, a.code)
			}
			w.requireReadable()
			w.crash(nil)
			w.start()
			require.Equal(t, http.StatusCreated, w.order().status, "a restart heals it")
			w.requireServed()
		})
	}
}

// failSync starts the shop, has an fsync of a crowd's orders fail, and gives the
// answers to twenty orders after that.
func (w *world) failSync(fault disk.SyncFault) (answers []answer) {
	w.t.Helper()
	w.start()
	home := w.crowd(16)
	w.awaitPromises(16)
	w.disk.FailSync(fault)
	w.awaitFailedSync()
	for range 20 {
		answers = append(answers, w.order())
	}
	home()
	return answers
}

// TestHarnessCatchesAcknowledgementAfterEIO plants a writer that takes a failed
// commit for a good one: TestEIO must see that it acknowledges, and that what it
// acknowledged is lost. The same build without the defect does neither.
func TestHarnessCatchesAcknowledgementAfterEIO(t *testing.T) {
	t.Parallel()
	<-planted.done
	require.NoError(t, planted.err)
	for _, plant := range []struct {
		commit string
		lies   bool
	}{{"acknowledge", true}, {"honest", false}} {
		t.Run(plant.commit, func(t *testing.T) {
			w := newWorld(t, seedOf(t), plantedBinary+"="+planted.path, "PLANTED_SYNC=FULL", "PLANTED_COMMIT="+plant.commit)
			acknowledged := 0
			for _, a := range w.failSync(disk.SyncFails) {
				if a.status == http.StatusCreated {
					acknowledged++
				}
			}
			w.crash(nil)
			w.start()
			lost := w.promises.broken(t, w.client, 0, (*promise).look)
			t.Logf("%s: %d of 20 orders acknowledged after EIO; %d of %d promises lost", plant.commit, acknowledged, len(lost), len(w.promises.newest(0)))
			require.Equal(t, plant.lies, acknowledged > 0)
			require.Equal(t, plant.lies, len(lost) > 0)
		})
	}
}

// awaitFailedSync waits until the disk has failed, which the next order does.
func (w *world) awaitFailedSync() {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return w.disk.Counts().FailedSyncs > 0 }, 30*time.Second, time.Millisecond)
}

// TestRestartAfterEIO: the process is restarted after a failed fsync, and the
// machine is not. What the disk lost still reads well. If the shop trusts it
// and builds upon it, the next power loss takes new orders too.
func TestRestartAfterEIO(t *testing.T) {
	t.Parallel()
	w := newWorld(t, seedOf(t))
	w.start()
	for range 3 {
		require.Equal(t, http.StatusCreated, w.order().status)
	}
	w.disk.FailSync(disk.SyncFailsOnce)
	require.Equal(t, http.StatusServiceUnavailable, w.order().status)
	w.shop.Kill()
	w.start()
	for range 3 {
		require.Equal(t, http.StatusCreated, w.order().status)
	}
	w.crash(nil)
	w.start()
	w.requireServed()
}

// TestENOSPC: a full disk is told to buyers as such, readers notice nothing,
// and when there is space again the shop sells on by itself.
func TestENOSPC(t *testing.T) {
	t.Parallel()
	w := newWorld(t, seedOf(t))
	w.start()
	home := w.crowd(16)
	w.awaitPromises(16)
	w.disk.Limit(100_000)
	require.Eventually(t, func() bool { return w.order().status == http.StatusServiceUnavailable },
		20*time.Second, time.Millisecond)
	for range 20 {
		if a := w.order(); a.status != http.StatusCreated { // a smaller one may fit still
			require.Equal(t, http.StatusServiceUnavailable, a.status, "%+v", a)
			require.Equal(t, "storage_full", a.code)
			require.NotEmpty(t, a.detail)
		}
	}
	home()
	require.Positive(t, w.disk.Counts().Refused)
	w.requireReadable()
	w.disk.Limit(-1)
	require.Equal(t, http.StatusCreated, w.order().status, "there is space again")
	w.crash(nil)
	w.start()
	w.requireServed()
}
