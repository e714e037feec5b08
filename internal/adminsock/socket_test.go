package adminsock

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
)

func statusOK() *fake {
	return &fake{status: func(context.Context) (Status, error) { return Status{PID: 1}, nil }}
}

// leaveSocket leaves a socket behind as a killed process does.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	ln.SetUnlinkOnClose(false)
	require.NoError(t, ln.Close())
}

func TestNotRunning(t *testing.T) {
	stale := t.TempDir()
	leaveSocket(t, filepath.Join(stale, socketName))
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, dir := range map[string]string{
		"empty directory": t.TempDir(), "no directory": filepath.Join(t.TempDir(), "none"), "stale socket": stale, "a file": file,
		"no directory, long": filepath.Join(t.TempDir(), strings.Repeat("n", 120)),
	} {
		_, err := Dial(t.Context(), dir)
		require.ErrorIs(t, err, ErrNotRunning, name)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	dir := t.TempDir()
	leaveSocket(t, filepath.Join(dir, socketName))
	leaveSocket(t, filepath.Join(dir, socketName+".new"))
	shop := serve(t, dir, statusOK())
	require.Eventually(t, func() bool {
		c, err := Dial(t.Context(), dir)
		if err != nil {
			return false
		}
		defer c.Close()
		_, err = c.Status(t.Context())
		return err == nil
	}, 30e9, 1e6)
	require.NoError(t, shop.stop())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestAnsweredSocketIsLeftAlone(t *testing.T) {
	shop := serve(t, t.TempDir(), statusOK())
	err := Serve(t.Context(), shop.dir, Shop{Operations: statusOK()}, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, ErrRunning)
	_, err = shop.dial(t).Status(t.Context())
	require.NoError(t, err)
}

func TestOtherFileIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, socketName)
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	err := Serve(t.Context(), dir, Shop{Operations: statusOK()}, slog.New(slog.DiscardHandler))
	require.Equal(t, "socket_name_taken", errs.CodeOf(err))
	require.FileExists(t, path)
}

func TestSocketMode(t *testing.T) {
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	shop := serve(t, t.TempDir(), statusOK())
	info, err := os.Lstat(filepath.Join(shop.dir, socketName))
	require.NoError(t, err)
	require.Equal(t, fs.ModeSocket|0o600, info.Mode())
}

func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("长", 40), strings.Repeat("d", 100))
	require.NoError(t, os.MkdirAll(dir, 0o700))
	shop := serve(t, dir, statusOK())
	_, err := shop.dial(t).Status(t.Context())
	require.NoError(t, err)
	require.NoError(t, shop.stop())
	require.NoFileExists(t, filepath.Join(dir, socketName))
}

func TestPathsAroundTheLimit(t *testing.T) {
	base := t.TempDir()
	for size := maxPath - 3; size <= maxPath+3; size++ {
		dir := filepath.Join(base, strings.Repeat("x", size-len(base)-len(socketName)-2))
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.Len(t, filepath.Join(dir, socketName), size)
		shop := serve(t, dir, statusOK())
		_, err := shop.dial(t).Status(t.Context())
		require.NoError(t, err, "%d bytes", size)
		require.NoError(t, shop.stop())
	}
}

// Another user who gets as far as the socket is refused in words, and so is a
// socket that somebody else set up, before anything was sent to it.
func TestStrangers(t *testing.T) {
	dir := t.TempDir()
	ln, err := listen(t.Context(), dir)
	require.NoError(t, err)
	book := &logBook{}
	stranger := func(*net.UnixConn) (int, error) { return os.Geteuid() + 4711, nil }
	s := &server{ops: statusOK(), log: slog.New(slog.NewJSONHandler(book, nil)), peer: stranger}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, ln) }()
	defer func() { cancel(); require.NoError(t, <-ended) }()

	c, err := Dial(t.Context(), dir)
	require.NoError(t, err)
	_, err = c.Status(t.Context())
	require.ErrorIs(t, err, errStranger)
	require.Equal(t, errs.Forbidden, errs.KindOf(err))
	require.Contains(t, book.text(), "refused")
	_, err = c.Import(t.Context(), ImportRequest{}, io.LimitReader(zeros{}, 1<<20), silent)
	require.ErrorIs(t, err, errStranger)
	require.NoError(t, c.Close())

	_, err = dialAs(t.Context(), dir, stranger)
	require.ErrorIs(t, err, errImpostor)
	require.Equal(t, errs.Forbidden, errs.KindOf(err))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestPeers(t *testing.T) {
	dir := t.TempDir()
	require.True(t, mayAsk(0))
	require.True(t, mayAsk(os.Geteuid()))
	require.False(t, mayAsk(os.Geteuid()+1))
	me := os.Geteuid()
	require.True(t, mayAnswer(me, me, dir))
	require.False(t, mayAnswer(me, me+1, dir))
	if me == 0 { // root asks a shop that runs as the directory's owner
		require.NoError(t, os.Chown(dir, 4711, -1))
		require.True(t, mayAnswer(0, 4711, dir))
		require.False(t, mayAnswer(0, 4712, dir))
		require.False(t, mayAnswer(4712, 4711, dir), "no shop of 4711 answers 4712: whoever does is after the card keys")
	}
}

func TestForbiddenSocketIsNoMissingShop(t *testing.T) {
	err := dialError(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)})
	require.Equal(t, errs.Forbidden, errs.KindOf(err))
	require.NotErrorIs(t, err, ErrNotRunning)
	if os.Geteuid() == 0 {
		t.Skip("root may open everything")
	}
	shop := serve(t, t.TempDir(), statusOK())
	require.NoError(t, os.Chmod(filepath.Join(shop.dir, socketName), 0))
	_, err = Dial(t.Context(), shop.dir)
	require.Equal(t, errs.Forbidden, errs.KindOf(err))
}
