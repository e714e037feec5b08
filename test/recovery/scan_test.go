package recovery

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/s3dest/s3test"
	"panshi/internal/sftpdest/sftptest"
	"panshi/test/kit"
)

// places are a directory, an object store and an SFTP server, with the settings
// and the credentials by which a shop reaches them.
type places struct {
	dirs        map[string]string // where the bytes of each lie
	settings    string
	credentials map[string]string // JSON, by label
}

func newPlaces(t *testing.T) *places {
	t.Helper()
	p := &places{
		dirs:        map[string]string{"disk": filepath.Join(t.TempDir(), "disk"), "cloud": t.TempDir(), "server": t.TempDir()},
		credentials: map[string]string{},
	}
	program, err := s3test.Build()
	require.NoError(t, err, "building the server needs the Go proxy once")
	address, err := s3test.FreeAddress()
	require.NoError(t, err)
	store, err := s3test.Serve(program, address, p.dirs["cloud"])
	require.NoError(t, err)
	t.Cleanup(store.Stop)
	require.NoError(t, store.Bucket(t.Context(), "copies"))
	p.credential(t, "cloud", map[string]string{"access_key": s3test.AccessKey, "secret_key": s3test.SecretKey})
	server := sftptest.Start(t)
	p.credential(t, "server", map[string]string{"private_key": server.Private})
	unsynced := ""
	if !server.Real {
		unsynced = "no_sync: true, "
	}
	p.settings = "backup.destinations=[" +
		"{label: disk, kind: directory, same_device: true, dir: " + p.dirs["disk"] + "}," +
		"{label: cloud, kind: versitygw, endpoint: '" + store.Endpoint + "', s3_region: " + s3test.Region + ", bucket: copies, prefix: shop/}," +
		"{label: server, kind: sftp, address: '" + server.Address + "', user: backup, " + unsynced +
		"host_key: '" + strings.TrimSpace(server.HostKey) + "', dir: " + p.dirs["server"] + "}]"
	return p
}

func (p *places) credential(t *testing.T, label string, secret map[string]string) {
	t.Helper()
	raw, err := json.Marshal(secret)
	require.NoError(t, err)
	p.credentials[label] = filepath.Join(t.TempDir(), label+".json")
	require.NoError(t, os.WriteFile(p.credentials[label], raw, 0o600))
}

// What buyers and merchants trust the shop with is in no byte of any place that a
// copy lies at, and not in the spool: no card key, no phone number, no address of
// a mailbox, in no spelling. The scanner finds them where they are planted.
func TestNoByteOfACopyTells(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, noSpool)
	t.Parallel()
	p := newPlaces(t)
	platform := kit.NewPlatform(t)
	shop := kit.Stopped(t, platform, p.settings)
	shop.NewSheet()
	for label, file := range p.credentials {
		r := shop.Run("key", "destination", "put", label, file)
		require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	}
	shop.Start()
	keys := kit.Keys("PLANTED-KEY", 60)
	sku := shop.ImportCards("planted", "1.00", keys)
	secrets := append([]string{"planted.buyer@mail.example", "13800012345"}, keys...)
	for _, contact := range []kit.Contact{{Email: secrets[0]}, {Phone: secrets[1]}} {
		_, err := kit.Buy(t.Context(), shop.Client(), platform, &kit.Book{}, contact, kit.Line{SKU: sku, Quantity: 3})
		require.NoError(t, err)
	}
	shop.AwaitCopied()
	require.Zero(t, shop.Stop(20*time.Second))

	scanner := kit.NewScanner(append(secrets, "SQLite format 3", "INSERT INTO")...)
	p.dirs["spool"] = shop.Data + ".spool"
	for label, dir := range p.dirs {
		hits, read := scanner.Dir(t, dir)
		require.Empty(t, hits, label)
		require.Greater(t, read, int64(100_000), "%s has the copy", label)
		t.Logf("%s: 0 of %d secrets in %d bytes", label, len(secrets), read)
	}
	for form, text := range kit.Forms(secrets[1]) {
		planted := filepath.Join(p.dirs["disk"], "seg", "planted")
		require.NoError(t, os.WriteFile(planted, append([]byte("x"), text...), 0o600))
		hits, _ := scanner.Dir(t, p.dirs["disk"])
		require.NotEmpty(t, hits, form)
	}
}
