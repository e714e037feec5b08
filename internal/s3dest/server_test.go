package s3dest_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/s3dest"
)

// gateway is the S3 server of these tests, at a pinned version. It is built once
// into the user's cache.
const gateway = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

const region = "cn-test-1"

// server is one S3 server for all tests of the package, a bucket each.
type server struct {
	once     sync.Once
	err      error
	endpoint string
	dir      string
	stop     context.CancelFunc
	ended    chan struct{}
}

var shared server // one process for all tests, ended by TestMain

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.stop != nil {
		shared.stop()
		<-shared.ended
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

func (s *server) run() error {
	program, err := build()
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "panshi-s3-"); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // asks for a free port
	if err != nil {
		return err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	for _, dir := range []string{"data", "versions", "iam"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o700); err != nil {
			return err
		}
	}
	return s.serve(program, address)
}

// serve starts the server at an address, also once more after it was stopped.
func (s *server) serve(program, address string) error {
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--quiet", "--port", address, "--region", region, "--iam-dir", filepath.Join(s.dir, "iam"),
		"posix", "--versioning-dir", filepath.Join(s.dir, "versions"), filepath.Join(s.dir, "data"))
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=root", "ROOT_SECRET_KEY=root-secret")
	if err := cmd.Start(); err != nil {
		cancel()
		return err
	}
	s.endpoint, s.stop, s.ended = "http://"+address, cancel, make(chan struct{})
	go func() {
		defer close(s.ended)
		_ = cmd.Wait()
	}()
	return s.answers(address)
}

func (s *server) answers(address string) error {
	var err error
	for range 200 {
		var c net.Conn
		if c, err = net.DialTimeout("tcp", address, time.Second); err == nil {
			return c.Close()
		}
		time.Sleep(25 * time.Millisecond)
	}
	return err
}

func build() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "panshi-tools")
	program := filepath.Join(dir, "versitygw-"+gateway[strings.LastIndexByte(gateway, '@')+1:])
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	tmp := program + ".build"
	cmd := exec.CommandContext(context.Background(), "go", "install", gateway)
	cmd.Env = append(os.Environ(), "GOBIN="+tmp, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, os.Rename(filepath.Join(tmp, "versitygw"), program)
}

// client is the owner of the server, who makes buckets and policies.
func client(t *testing.T) *minio.Client {
	t.Helper()
	shared.start(t)
	c, err := minio.New(strings.TrimPrefix(shared.endpoint, "http://"), &minio.Options{
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
		Endpoint: shared.endpoint, Region: region, Bucket: name, Prefix: "shop/",
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
	program, err := build()
	require.NoError(t, err)
	access, secret = "app-"+name, "app-secret-"+name
	out, err := exec.CommandContext(t.Context(), program, "admin", "--access", "root", "--secret", "root-secret", "--region", region,
		"--endpoint-url", shared.endpoint, "create-user", "--access", access, "--secret", secret, "--role", "user").CombinedOutput()
	require.NoError(t, err, string(out))
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[%q]},"Action":[%s],"Resource":["arn:aws:s3:::%s","arn:aws:s3:::%s/*"]}]}`,
		access, `"s3:`+strings.Join(actions, `","s3:`)+`"`, name, name)
	require.NoError(t, client(t).SetBucketPolicy(t.Context(), name, policy))
	return access, secret
}
