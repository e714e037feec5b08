package ship

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/benbjohnson/litestream"
	"github.com/superfly/ltx"

	"panshi/internal/backup/spool"
)

// client is one generation of the spool as litestream writes and reads it.
type client struct {
	spool      *spool.Spool
	generation string
	bytes      atomic.Int64 // written since the start
}

var _ litestream.ReplicaClient = (*client)(nil)

// errAppendOnly refuses what litestream is never asked to do here: files leave
// the spool by its own rules.
var errAppendOnly = errors.New("ship: litestream must not delete from the spool")

// Type implements litestream.ReplicaClient.
func (*client) Type() string { return "spool" }

// Init implements litestream.ReplicaClient.
func (*client) Init(context.Context) error { return nil }

// SetLogger implements litestream.ReplicaClient.
func (*client) SetLogger(*slog.Logger) {}

// DeleteLTXFiles implements litestream.ReplicaClient.
func (*client) DeleteLTXFiles(context.Context, []*ltx.FileInfo) error { return errAppendOnly }

// DeleteAll implements litestream.ReplicaClient.
func (*client) DeleteAll(context.Context) error { return errAppendOnly }

// LTXFiles implements litestream.ReplicaClient. Times come from the names,
// which have them from the shop's clock. Sizes are not told: those on disk are
// of what is encrypted.
func (c *client) LTXFiles(_ context.Context, level int, seek ltx.TXID, _ bool) (ltx.FileIterator, error) {
	files := c.spool.Level(c.generation, level, 1)
	infos := make([]*ltx.FileInfo, 0, len(files))
	for _, f := range files {
		if ltx.TXID(f.First) >= seek {
			infos = append(infos, infoOf(f))
		}
	}
	return ltx.NewFileInfoSliceIterator(infos), nil
}

func infoOf(f spool.File) *ltx.FileInfo {
	return &ltx.FileInfo{Level: f.Level, MinTXID: ltx.TXID(f.First), MaxTXID: ltx.TXID(f.Last), CreatedAt: f.Time}
}

// OpenLTXFile implements litestream.ReplicaClient.
func (c *client) OpenLTXFile(ctx context.Context, level int, first, last ltx.TXID, offset, size int64) (io.ReadCloser, error) {
	f, err := c.find(level, first, last)
	if err != nil {
		return nil, err
	}
	content, err := c.spool.Read(ctx, f.Name)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, content, offset); err != nil {
		return nil, errors.Join(err, content.Close())
	}
	if size <= 0 {
		return content, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(content, size), content}, nil
}

func (c *client) find(level int, first, last ltx.TXID) (spool.File, error) {
	for _, f := range c.spool.Level(c.generation, level, uint64(last)) {
		if f.First == uint64(first) && f.Last == uint64(last) {
			return f, nil
		}
	}
	return spool.File{}, fmt.Errorf("ship: level %d has no file of %s to %s", level, first, last)
}

// WriteLTXFile implements litestream.ReplicaClient. It returns when the file is
// whole and on disk.
func (c *client) WriteLTXFile(ctx context.Context, level int, first, last ltx.TXID, r io.Reader) (*ltx.FileInfo, error) {
	header, content, err := ltx.PeekHeader(r)
	if err != nil {
		return nil, fmt.Errorf("ship: reading the head of level %d, %s to %s: %w", level, first, last, err)
	}
	if header.MinTXID != first || header.MaxTXID != last {
		return nil, fmt.Errorf("ship: a file of %s to %s says that it has %s to %s", first, last, header.MinTXID, header.MaxTXID)
	}
	f, err := c.spool.Write(ctx, spool.File{
		Generation: c.generation, Level: level, First: uint64(first), Last: uint64(last), Time: time.UnixMilli(header.Timestamp),
	}, content)
	if err != nil {
		return nil, err
	}
	c.bytes.Add(f.Size)
	return infoOf(f), nil
}

// shipped is the newest file of level 0, which has the newest transaction.
func (c *client) shipped() (spool.File, bool) {
	files := c.spool.Level(c.generation, 0, 1)
	if len(files) == 0 {
		return spool.File{}, false
	}
	return files[len(files)-1], true
}
