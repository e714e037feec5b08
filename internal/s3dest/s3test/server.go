// Package s3test runs an S3 server for tests: versitygw at a pinned version, which
// is built once into the user's cache. It is no part of a shop.
package s3test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// gateway is the server's program.
const gateway = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// What the server is told: its region, and its owner's credential.
const (
	Region    = "cn-test-1"
	AccessKey = "root"
	SecretKey = "root-secret"
)

// Server is one that runs.
type Server struct {
	Endpoint string
	stop     context.CancelFunc
	ended    chan struct{}
}

// Serve starts the server at an address, also once more after it was stopped; its
// data is below dir.
func Serve(program, address, dir string) (*Server, error) {
	for _, part := range []string{"data", "versions", "iam"} {
		if err := os.MkdirAll(filepath.Join(dir, part), 0o700); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--quiet", "--port", address, "--region", Region, "--iam-dir", filepath.Join(dir, "iam"),
		"posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "data"))
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	s := &Server{Endpoint: "http://" + address, stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		_ = cmd.Wait()
	}()
	return s, answers(address)
}

// Stop kills the server.
func (s *Server) Stop() {
	s.stop()
	<-s.ended
}

// Bucket makes an empty bucket.
func (s *Server) Bucket(ctx context.Context, name string) error {
	c, err := minio.New(strings.TrimPrefix(s.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(AccessKey, SecretKey, ""), Region: Region,
	})
	if err != nil {
		return err
	}
	return c.MakeBucket(ctx, name, minio.MakeBucketOptions{})
}

// FreeAddress finds an address of this machine that nobody listens at.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func answers(address string) error {
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

// Build gives the path of the program; building it needs the Go proxy once.
func Build() (string, error) {
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
