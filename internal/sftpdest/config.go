package sftpdest

import (
	"errors"
	"path"
	"strings"

	"golang.org/x/crypto/ssh"

	"panshi/internal/errs"
)

// Config says where the server is and who we are.
type Config struct {
	Address string // host:port
	User    string
	Dir     string // absolute, exists, ours
	// HostKey is the server's public key as ssh-keyscan prints it, without the
	// host name: "ssh-ed25519 AAAA...".
	HostKey string
	// PrivateKey is our key in OpenSSH's or PEM format, without a passphrase.
	PrivateKey string
	// NoSync accepts a server that cannot sync files: then nothing says that an
	// object survives a power cut there.
	NoSync bool
}

// Validate reports all faults at once, each an errs.Invalid that names its field.
func (c Config) Validate() error {
	var faults []error
	if c.User == "" {
		faults = append(faults, errs.Field("user", "required", "this setting of the destination is needed"))
	}
	if host, port, found := strings.Cut(c.Address, ":"); !found || host == "" || port == "" {
		faults = append(faults, errs.Field("address", "backup_address_invalid", "an address is host:port"))
	}
	if !path.IsAbs(c.Dir) || path.Clean(c.Dir) != c.Dir {
		faults = append(faults, errs.Field("dir", "backup_dir_invalid", "the directory at the destination is an absolute path"))
	}
	if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(c.HostKey)); err != nil {
		faults = append(faults, errs.Field("host_key", "backup_host_key_invalid", "a host key is like ssh-ed25519 AAAA…, as ssh-keyscan prints it"))
	}
	if _, err := ssh.ParsePrivateKey([]byte(c.PrivateKey)); err != nil {
		faults = append(faults, errs.Field("private_key", "backup_private_key_invalid", "this is no private key, or it has a passphrase"))
	}
	return errors.Join(faults...)
}

// clientConfig pins the host key and offers ours. What does not parse was
// refused by Validate.
func (c Config) clientConfig() (*ssh.ClientConfig, error) {
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(c.HostKey))
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey([]byte(c.PrivateKey))
	if err != nil {
		return nil, err
	}
	algorithms := []string{hostKey.Type()}
	if hostKey.Type() == ssh.KeyAlgoRSA {
		algorithms = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return &ssh.ClientConfig{
		User: c.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.FixedHostKey(hostKey), HostKeyAlgorithms: algorithms,
	}, nil
}
