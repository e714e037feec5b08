package powerloss

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHarnessCatches plants an engine that syncs too little: these tests must
// see it lose orders. The same build with the level that shops run with loses
// none, so it is the level that they see.
func TestHarnessCatches(t *testing.T) {
	t.Parallel()
	<-planted.done
	require.NoError(t, planted.err)
	for _, plant := range []struct {
		level string
		loses bool
	}{{"OFF", true}, {"NORMAL", true}, {"FULL", false}} {
		t.Run(plant.level, func(t *testing.T) {
			w := newWorld(t, seedOf(t), plantedBinary+"="+planted.path, "PLANTED_SYNC="+plant.level)
			w.start()
			home := w.crowd(16)
			w.awaitPromises(51)
			w.crash(nil)
			home()
			if err := w.shop.TryStart(w.env...); err != nil {
				require.True(t, plant.loses, "%v", err)
				t.Logf("%s: the shop does not even start again", plant.level)
				return
			}
			lost := w.promises.broken(t, w.client, 0, (*promise).look)
			t.Logf("%s: %d of %d acknowledged orders lost", plant.level, len(lost), len(w.promises.newest(0)))
			require.Equal(t, plant.loses, len(lost) > 0, "synchronous=%s", plant.level)
		})
	}
}
