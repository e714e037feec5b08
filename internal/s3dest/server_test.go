package s3dest_test

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/s3dest"
	"panshi/internal/s3dest/s3test"
)

const region = s3test.Region

// server is one S3 server for all tests of the package, a bucket each.
type server struct {
	once sync.Once
	err  error
	dir  string
	*s3test.Server
}

var shared server // one process for all tests, ended by TestMain

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.Server != nil {
		shared.Stop()
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// start builds and starts the server, and waits until it answers.
func (s *server) start(t *testing.T) {
	t.Helper()
	s.once.Do(func() { s.err = s.run() })
	require.NoError(t, s.err, "the S3 server of the tests; building it needs the Go proxy once")
}

func (s *server) run() (err error) {
	if s.dir, err = os.MkdirTemp("", "panshi-s3-"); err != nil {
		return err
	}
	address, err := s3test.FreeAddress()
	if err != nil {
		return err
	}
	return s.serve(address)
}

// serve starts the server, also once more after it was stopped.
func (s *server) serve(address string) error {
	program, err := s3test.Build()
	if err == nil {
		s.Server, err = s3test.Serve(program, address, s.dir)
	}
	return err
}

// client is the owner of the server, who makes buckets and policies.
func client(t *testing.T) *minio.Client {
	t.Helper()
	shared.start(t)
	c, err := minio.New(strings.TrimPrefix(shared.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4("root", "root-secret", ""), Region: region,
	})
	require.NoError(t, err)
	return c
}

func bucket(t *testing.T, o minio.MakeBucketOptions) string {
	t.Helper()
	var raw [6]byte
	_, _ = rand.Read(raw[:])
	name := "b-" + hex.EncodeToString(raw[:])
	require.NoError(t, client(t).MakeBucket(t.Context(), name, o))
	return name
}

// config opens a bucket with the rights of root.
func config(name string) s3dest.Config {
	return s3dest.Config{
		Endpoint: shared.Endpoint, Region: region, Bucket: name, Prefix: "shop/",
		AccessKey: "root", SecretKey: "root-secret", Quirks: s3dest.Quirks{PathStyle: true},
	}
}

func open(t *testing.T, cfg s3dest.Config) backup.Destination {
	t.Helper()
	d, err := s3dest.New(cfg, s3dest.Transport())
	require.NoError(t, err)
	return d
}

// user makes an account that may do these actions in a bucket and nothing else.
func user(t *testing.T, name string, actions ...string) (access, secret string) {
	t.Helper()
	program, err := s3test.Build()
	require.NoError(t, err)
	access, secret = "app-"+name, "app-secret-"+name
	out, err := exec.CommandContext(t.Context(), program, "admin", "--access", "root", "--secret", "root-secret", "--region", region,
		"--endpoint-url", shared.Endpoint, "create-user", "--access", access, "--secret", secret, "--role", "user").CombinedOutput()
	require.NoError(t, err, string(out))
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[%q]},"Action":[%s],"Resource":["arn:aws:s3:::%s","arn:aws:s3:::%s/*"]}]}`,
		access, `"s3:`+strings.Join(actions, `","s3:`)+`"`, name, name)
	require.NoError(t, client(t).SetBucketPolicy(t.Context(), name, policy))
	return access, secret
}
