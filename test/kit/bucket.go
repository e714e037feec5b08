package kit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"
)

// gateway is the S3 server of tests, at the version that internal/s3dest pins. It
// is built once into the user's cache.
const gateway = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// Bucket is a bucket of an S3 server of its own.
type Bucket struct {
	Setting    string // backup.destinations with the bucket as "cloud"
	Credential string // a file with its credential
}

// NewBucket starts a server and makes a bucket.
func NewBucket(t testing.TB) Bucket {
	t.Helper()
	program := gatewayProgram(t)
	dir, addr := t.TempDir(), freeAddr()
	for _, d := range []string{"data", "iam"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, d), 0o700))
	}
	p, err := startProc(filepath.Join(dir, "log"), []string{"ROOT_ACCESS_KEY=root", "ROOT_SECRET_KEY=root-secret"}, program, "--quiet", "--port", addr,
		"--region", "test-1", "--iam-dir", filepath.Join(dir, "iam"), "posix", filepath.Join(dir, "data"))
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	c, err := minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4("root", "root-secret", ""), Region: "test-1"})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return c.MakeBucket(t.Context(), "shop", minio.MakeBucketOptions{}) == nil }, 20*time.Second, 50*time.Millisecond)
	credential := filepath.Join(dir, "credential.json")
	require.NoError(t, os.WriteFile(credential, []byte(`{"access_key":"root","secret_key":"root-secret"}`), 0o600))
	return Bucket{fmt.Sprintf("backup.destinations=[{label: cloud, kind: versitygw, region: far, endpoint: 'http://%s', s3_region: test-1, bucket: shop}]", addr), credential}
}

func gatewayProgram(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	program := filepath.Join(cache, "panshi-tools", "versitygw-"+gateway[strings.LastIndexByte(gateway, '@')+1:])
	if _, err := os.Stat(program); err == nil {
		return program
	}
	tmp := t.TempDir()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "install", gateway)
	cmd.Env = append(os.Environ(), "GOBIN="+tmp, "CGO_ENABLED=0", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "building the S3 server needs the Go proxy once: %s", out)
	return filepath.Join(tmp, "versitygw")
}
