// Package sftptest runs an SFTP server for tests: OpenSSH's where it is installed,
// behind an SSH server of this process. It is no part of a shop.
package sftptest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/pkg/sftp"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// openSSH is OpenSSH's server side of SFTP, where Debian puts it. Without it a
// server of the client's own module stands in, which cannot sync.
const openSSH = "/usr/lib/openssh/sftp-server"

// Server is an SSH server in this process that takes one key.
type Server struct {
	Address string
	HostKey string
	Private string // key of the client that it takes
	Real    bool   // OpenSSH's sftp-server does the work

	listener net.Listener
	config   *ssh.ServerConfig

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
	wg    sync.WaitGroup
}

func key(t testing.TB) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	return signer, string(pem.EncodeToMemory(block))
}

func line(k ssh.PublicKey) string { return string(ssh.MarshalAuthorizedKey(k)) }

// Start runs a server until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	host, _ := key(t)
	client, private := key(t)
	s := &Server{HostKey: line(host.PublicKey()), Private: private}
	_, err := os.Stat(openSSH)
	s.Real = err == nil
	s.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if line(k) == line(client.PublicKey()) {
			return nil, nil //nolint:nilnil // no permissions to tell is what the server expects
		}
		return nil, errors.New("another key")
	}}
	s.config.AddHostKey(host)
	s.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.Address = s.listener.Addr().String()
	s.wg.Go(s.accept)
	t.Cleanup(s.Stop)
	return s
}

// Stop ends the server and its connections.
func (s *Server) Stop() {
	_ = s.listener.Close()
	s.Cut()
	s.wg.Wait()
}

// Connections is how many came since the last Cut.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Cut ends all connections, as a router that restarts.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c) })
	}
}

func (s *Server) serve(raw net.Conn) {
	conn, channels, requests, err := ssh.NewServerConn(raw, s.config)
	if err != nil {
		_ = raw.Close()
		return
	}
	defer func() { _ = conn.Close() }()
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, wishes, err := c.Accept()
		if err != nil {
			return
		}
		for wish := range wishes {
			ok := wish.Type == "subsystem"
			_ = wish.Reply(ok, nil)
			if ok {
				s.wg.Go(func() { s.subsystem(channel) })
			}
		}
	}
}

// subsystem speaks SFTP on a channel until it ends.
func (s *Server) subsystem(channel ssh.Channel) {
	defer func() { _ = channel.Close() }()
	if s.Real {
		cmd := exec.Command(openSSH, "-e") // ends with its input
		cmd.Stdin, cmd.Stdout, cmd.Stderr = channel, channel, io.Discard
		_ = cmd.Run()
		return
	}
	if session, err := sftp.NewServer(channel); err == nil {
		_ = session.Serve()
	}
}
