package sftpdest

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"panshi/internal/backup"
)

// handshake bounds the time until a connection stands.
const handshake = 30 * time.Second

// connection is one session with the server.
type connection struct {
	ssh  *ssh.Client
	sftp *sftp.Client
}

func (c *connection) close() { _ = errors.Join(c.sftp.Close(), c.ssh.Close()) }

// dial connects, checks the host's key and starts the SFTP session.
func (d *Dest) dial(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	settings, err := d.cfg.clientConfig()
	if err != nil {
		return nil, err
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.cfg.Address)
	if err != nil {
		return nil, backup.Unavailable(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	conn, channels, requests, err := ssh.NewClientConn(raw, d.cfg.Address, settings)
	if err != nil {
		return nil, errors.Join(refusedOr(err), raw.Close())
	}
	client := ssh.NewClient(conn, channels, requests)
	session, err := sftp.NewClient(client)
	if err != nil {
		return nil, errors.Join(backup.Unavailable(err), client.Close())
	}
	c := &connection{ssh: client, sftp: session}
	if _, syncs := session.HasExtension("fsync@openssh.com"); !syncs && !d.cfg.NoSync {
		c.close()
		return nil, backup.Refused("sync", d.cfg.Dir, errors.New("this server cannot sync files"))
	}
	return c, nil
}

// refusedOr tells a server that does not take our key, or has another one than
// the pinned one, from one that does not answer. x/crypto/ssh has no types for
// them.
func refusedOr(err error) error {
	if strings.Contains(err.Error(), "unable to authenticate") || strings.Contains(err.Error(), "host key mismatch") ||
		strings.Contains(err.Error(), "no common algorithm for host key") {
		return backup.Refused("connect", "", err)
	}
	return backup.Unavailable(err)
}

// with gives work a connection. The end of ctx closes it, because the client's
// calls know no contexts; so does any failure that the server did not answer.
func (d *Dest) with(ctx context.Context, work func(*connection) error) error {
	c, err := d.connected(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { d.drop(c) })
	err = work(c)
	stop()
	if err != nil && broken(err) {
		d.drop(c)
	}
	return err
}

// connected gives the connection that stands, or makes one.
func (d *Dest) connected(ctx context.Context) (*connection, error) {
	if err := ctx.Err(); err != nil {
		return nil, backup.Unavailable(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		return d.conn, nil
	}
	c, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	d.conn = c
	return c, nil
}

// drop forgets a connection and closes it.
func (d *Dest) drop(c *connection) {
	d.mu.Lock()
	if d.conn == c {
		d.conn = nil
	}
	d.mu.Unlock()
	c.close()
}

// Close ends the connection; the next call makes another one.
func (d *Dest) Close() error {
	d.mu.Lock()
	c := d.conn
	d.conn = nil
	d.mu.Unlock()
	if c != nil {
		c.close()
	}
	return nil
}

// broken tells whether an error says that the connection is gone.
func broken(err error) bool {
	return errors.Is(err, sftp.ErrSSHFxConnectionLost) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed)
}
