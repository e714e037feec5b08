package s3dest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/desttest"
	"panshi/internal/s3dest"
)

func TestABucketKeepsThePromises(t *testing.T) {
	desttest.Run(t, func(t *testing.T) backup.Destination {
		return open(t, config(bucket(t, minio.MakeBucketOptions{})))
	}, desttest.Options{Big: 40 << 20, Many: 1100})
}

// TestAServerWithoutConditionsKeepsThePromises: what OSS, COS and OBS get.
func TestAServerWithoutConditionsKeepsThePromises(t *testing.T) {
	desttest.Run(t, func(t *testing.T) backup.Destination {
		cfg := config(bucket(t, minio.MakeBucketOptions{}))
		cfg.Quirks.NoConditions, cfg.Quirks.NoChecksums = true, true
		d := open(t, cfg)
		_, swaps := d.(backup.Swapper)
		require.False(t, swaps, "no lease without conditional writes")
		return d
	}, desttest.Options{Big: 20 << 20, Many: 30, Racing: true})
}

// TestTwoLargeUploadsOfOneName: the condition holds for uploads in parts too.
func TestTwoLargeUploadsOfOneName(t *testing.T) {
	d := open(t, config(bucket(t, minio.MakeBucketOptions{})))
	bodies := []backup.Body{backup.Bytes(desttest.Content(t, 17<<20)), backup.Bytes(desttest.Content(t, 17<<20))}
	results := make([]error, 2)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Go(func() { results[i] = d.Put(t.Context(), "seg/big", bodies[i]) })
	}
	wg.Wait()
	winner := 0
	if results[0] != nil {
		winner = 1
	}
	require.NoError(t, results[winner])
	require.True(t, backup.Is(results[1-winner], "backup_object_exists"), "%v", results[1-winner])
	require.NoError(t, backup.ReadBack(t.Context(), d, "seg/big", bodies[winner].Size, bodies[winner].SHA256))
}

// TestALockedObjectStays: with the credential that wrote it, and until its time.
func TestALockedObjectStays(t *testing.T) {
	name := bucket(t, minio.MakeBucketOptions{ObjectLocking: true})
	cfg := config(name)
	cfg.AccessKey, cfg.SecretKey = user(t, name, "PutObject", "GetObject", "ListBucket", "DeleteObject", "DeleteObjectVersion",
		"PutObjectRetention", "AbortMultipartUpload", "GetObjectVersion")
	cfg.Quirks.Lock = "compliance"
	d := open(t, cfg)
	for what, size := range map[string]int64{"small": 1000, "large": 17 << 20} {
		body := backup.Bytes(desttest.Content(t, size))
		body.LockedUntil = time.Now().Add(time.Hour)
		require.NoError(t, d.Put(t.Context(), what, body))
		require.True(t, backup.Is(d.Delete(t.Context(), what), "backup_refused"), what)
		require.True(t, backup.Is(d.Put(t.Context(), what, backup.Bytes([]byte("other"))), "backup_object_exists"))
		require.NoError(t, backup.ReadBack(t.Context(), d, what, body.Size, body.SHA256))
	}
	require.NoError(t, d.Put(t.Context(), "free", backup.Bytes([]byte("x"))))
	require.NoError(t, d.Delete(t.Context(), "free"), "what is not locked can go")
	_, err := d.Get(t.Context(), "free", 0, -1)
	require.True(t, backup.Is(err, "backup_object_missing"), "%v", err)
}

// TestAWriteOnlyCredential: it stores, and each other wish is told as refused.
func TestAWriteOnlyCredential(t *testing.T) {
	name := bucket(t, minio.MakeBucketOptions{})
	cfg := config(name)
	cfg.AccessKey, cfg.SecretKey = user(t, name, "PutObject", "AbortMultipartUpload")
	d := open(t, cfg)
	content := desttest.Content(t, 17<<20)
	require.NoError(t, d.Put(t.Context(), "seg/a", backup.Bytes(content)))
	require.True(t, backup.Is(d.Put(t.Context(), "seg/a", backup.Bytes(content)), "backup_object_exists"), "it cannot overwrite either")
	_, err := d.Get(t.Context(), "seg/a", 0, -1)
	require.True(t, backup.Is(err, "backup_refused"), "%v", err)
	err = d.List(t.Context(), "", func(backup.Object) error { return nil })
	require.True(t, backup.Is(err, "backup_refused"), "%v", err)
	err = d.Delete(t.Context(), "seg/a")
	require.True(t, backup.Is(err, "backup_refused"), "%v", err)
	body := backup.Bytes(content)
	require.NoError(t, backup.ReadBack(t.Context(), open(t, config(name)), "seg/a", body.Size, body.SHA256))
}

func TestAWrongSecretIsRefused(t *testing.T) {
	cfg := config(bucket(t, minio.MakeBucketOptions{}))
	cfg.SecretKey = "another"
	err := open(t, cfg).Put(t.Context(), "a", backup.Bytes([]byte("x")))
	require.True(t, backup.Is(err, "backup_refused"), "%v", err)
}

// TestTheServerComparesTheDigest: a byte that changes on the way is refused by
// the server, not stored.
func TestTheServerComparesTheDigest(t *testing.T) {
	d, err := s3dest.New(config(bucket(t, minio.MakeBucketOptions{})), flipping{s3dest.Transport()})
	require.NoError(t, err)
	for _, size := range []int64{1000, 17 << 20} {
		err = d.Put(t.Context(), "a", backup.Bytes(desttest.Content(t, size)))
		require.Error(t, err)
		_, err = d.Get(t.Context(), "a", 0, -1)
		require.True(t, backup.Is(err, "backup_object_missing"), "%v", err)
	}
}

// flipping is a line that changes the first byte of each body.
type flipping struct{ http.RoundTripper }

func (f flipping) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && r.Body != nil {
		r.Body = &flipped{ReadCloser: r.Body}
	}
	return f.RoundTripper.RoundTrip(r)
}

type flipped struct {
	io.ReadCloser
	done bool
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if n > 0 && !f.done {
		p[0] ^= 1
		f.done = true
	}
	return n, err
}

// TestAnswersBecomeCodes: what a server says decides what the mirror does.
func TestAnswersBecomeCodes(t *testing.T) {
	for _, c := range []struct {
		status     int
		code, want string
	}{
		{500, "InternalError", "backup_unavailable"},
		{503, "SlowDown", "backup_unavailable"},
		{404, "NoSuchBucket", "backup_unavailable"},
		{403, "AccessDenied", "backup_refused"},
		{403, "InvalidAccessKeyId", "backup_refused"},
		{507, "InsufficientStorage", "backup_full"},
		{400, "QuotaExceeded", "backup_full"},
		{412, "PreconditionFailed", "backup_object_exists"},
		{400, "BadDigest", "backup_object_damaged"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, "<Error><Code>"+c.code+"</Code></Error>")
		}))
		cfg := config("bucket")
		cfg.Endpoint, cfg.Region = server.URL, region
		err := open(t, cfg).Put(t.Context(), "a", backup.Bytes([]byte("x")))
		require.True(t, backup.Is(err, c.want), "%d %s: %v", c.status, c.code, err)
		server.Close()
		err = open(t, cfg).Put(t.Context(), "a", backup.Bytes([]byte("x")))
		require.True(t, backup.Is(err, "backup_unavailable"), "nobody there: %v", err)
	}
}

// TestHostNamesCarryTheBucket: what OSS and COS ask for.
func TestHostNamesCarryTheBucket(t *testing.T) {
	quirks, known := s3dest.Kinds("oss")
	require.True(t, known)
	host := make(chan string, 4)
	cfg := s3dest.Config{
		Endpoint: "https://oss-cn-hangzhou.aliyuncs.com", Region: "oss-cn-hangzhou", Bucket: "bucket",
		AccessKey: "a", SecretKey: "b", Quirks: quirks,
	}
	d, err := s3dest.New(cfg, roundTrip(func(r *http.Request) (*http.Response, error) {
		host <- r.URL.Host + r.URL.Path
		for name := range r.Header {
			require.False(t, strings.HasPrefix(name, "X-Amz-Checksum") || name == "If-None-Match", name)
		}
		return nil, http.ErrHandlerTimeout
	}))
	require.NoError(t, err)
	require.Error(t, d.Put(t.Context(), "seg/a", backup.Bytes([]byte("x"))))
	require.Equal(t, "bucket.oss-cn-hangzhou.aliyuncs.com/seg/a", <-host)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestSettingsAreChecked(t *testing.T) {
	good := s3dest.Config{Endpoint: "https://s3.example.com", Region: "r", Bucket: "b", AccessKey: "a", SecretKey: "s"}
	require.NoError(t, good.Validate())
	for what, spoil := range map[string]func(*s3dest.Config){
		"plain http":    func(c *s3dest.Config) { c.Endpoint = "http://s3.example.com" },
		"a path":        func(c *s3dest.Config) { c.Endpoint += "/bucket" },
		"no bucket":     func(c *s3dest.Config) { c.Bucket = "" },
		"no secret":     func(c *s3dest.Config) { c.SecretKey = "" },
		"an odd prefix": func(c *s3dest.Config) { c.Prefix = "../x/" },
		"no slash":      func(c *s3dest.Config) { c.Prefix = "x" },
		"an odd lock":   func(c *s3dest.Config) { c.Quirks.Lock = "maybe" },
	} {
		cfg := good
		spoil(&cfg)
		require.Error(t, cfg.Validate(), what)
	}
}
