package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	aeadsubtle "github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/errs"
)

const (
	keySize     = 32 // bytes: AES-256
	keyLabel    = "panshi-key-1 "
	keyFileMax  = 4 << 10
	keyFileNote = `# Panshi key-encryption key: opens the keysets of one data directory.
# Without it no card key and no contact in that directory or its backups can be
# read again. Keep a copy apart from this machine and apart from the backups.
# Whoever has this file and the data directory can read everything.
`
)

var errKeyFormat = errors.New("want comment lines that begin with # and one line \"" +
	keyLabel + "<43 characters of base64url>\", each ended by a line feed")

// formatKeyFile gives the content of a key file.
func formatKeyFile(key []byte) []byte {
	return []byte(keyFileNote + keyLabel + base64.RawURLEncoding.EncodeToString(key) + "\n")
}

// parseKeyFile reads what formatKeyFile wrote; comments may differ, nothing
// else. Its errors never quote the content.
func parseKeyFile(content []byte) ([]byte, error) {
	body, ended := bytes.CutSuffix(content, []byte("\n"))
	if !ended {
		return nil, errKeyFormat
	}
	var key []byte
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		if bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		decoded, err := parseKeyLine(line)
		if err != nil || key != nil {
			return nil, errKeyFormat
		}
		key = decoded
	}
	if key == nil {
		return nil, errKeyFormat
	}
	return key, nil
}

func parseKeyLine(line []byte) ([]byte, error) {
	text, labelled := bytes.CutPrefix(line, []byte(keyLabel))
	if !labelled || len(text) != base64.RawURLEncoding.EncodedLen(keySize) || bytes.ContainsAny(text, "\r\n") {
		return nil, errKeyFormat
	}
	key := make([]byte, keySize)
	if _, err := base64.RawURLEncoding.Strict().Decode(key, text); err != nil {
		return nil, errKeyFormat
	}
	return key, nil
}

// makeKeyFile writes a new key-encryption key; an existing file makes it fail.
func makeKeyFile(path string) error {
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	content := formatKeyFile(key)
	defer clear(key)
	defer clear(content)
	return placeFile(path, content)
}

// readKeyFile gives the key-encryption key as the AEAD that wraps keysets.
// Everything that uses it sees tink.AEAD only, so that a KMS can stand in.
func readKeyFile(path string) (tink.AEAD, error) {
	content, err := readGuarded(path)
	if err != nil {
		return nil, err
	}
	defer clear(content)
	key, err := parseKeyFile(content)
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "vault_key_malformed",
			"the key file is not in the format of a Panshi key file").With("path", path)
	}
	defer clear(key)
	kek, err := aeadsubtle.NewAESGCM(key)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "vault_key_unusable", "the key could not be used")
	}
	return kek, nil
}

// readGuarded reads a small file that only its owner, us, may touch. The
// checks are made on the open file, so that it cannot be changed for another
// in between; opening does not wait, or a pipe would hang the start.
func readGuarded(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, keyFileError(path, err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, keyFileError(path, err)
	}
	if err := checkGuarded(info, os.Geteuid()); err != nil {
		return nil, keyFileError(path, fmt.Errorf("%w: %w", fs.ErrPermission, err))
	}
	content, err := io.ReadAll(io.LimitReader(f, keyFileMax+1))
	if err != nil {
		return nil, keyFileError(path, err)
	}
	if len(content) > keyFileMax {
		return nil, errs.Wrap(errKeyFormat, errs.Malformed, "vault_key_malformed",
			"the key file is too large to be one").With("path", path)
	}
	return content, nil
}

// checkGuarded says what is wrong with type, mode or owner of a key file.
func checkGuarded(info fs.FileInfo, uid int) error {
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if extra := info.Mode().Perm() &^ 0o600; extra != 0 {
		return fmt.Errorf("mode is %04o, must be 0600 or less", info.Mode().Perm())
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != uid {
		return errors.New("owned by another user than the one who runs this process")
	}
	return nil
}

func keyFileError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errs.Wrap(err, errs.Unavailable, "vault_key_missing",
			"the key file is missing; put back the one that belongs to this data directory").With("path", path)
	case errors.Is(err, fs.ErrPermission):
		reason := strings.TrimPrefix(err.Error(), fs.ErrPermission.Error()+": ")
		return errs.Wrap(err, errs.Forbidden, "vault_key_permissions",
			"the key file must be a regular file of this user with mode 0600").
			With("path", path).With("reason", reason)
	default:
		return errs.Wrap(err, errs.Unavailable, "vault_key_unreadable", "the key file cannot be read").With("path", path)
	}
}
