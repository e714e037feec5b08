package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"panshi/internal/app"
	"panshi/internal/db/sqlite"
)

// hasShop tells whether a shop was ever opened in cfg.Data. One whose database
// is on a server has its keys there.
func hasShop(cfg app.Config) bool {
	if cfg.DB.URL != "" {
		_, err := os.Stat(cfg.Vault.Dir)
		return err == nil
	}
	_, err := os.Stat(filepath.Join(cfg.Data, sqlite.FileName))
	return err == nil
}

// doctorConfig judges settings that are allowed and should be known.
func doctorConfig(cfg app.Config) []finding {
	out := []finding{ok("config", "valid")}
	if cfg.Sandbox.Addr != "" || cfg.Sandbox.URL != "" {
		out = append(out, warn("config", "sells through a payment simulator: buyers get goods for nothing"))
	}
	if !loopback(cfg.HTTP) && !cfg.Web.TLS {
		out = append(out, warn("config", "http %s is open to others and web.tls is off: put a TLS proxy before it, or set web.tls if one is there", cfg.HTTP))
	}
	out = append(out, doctorPublicURL(cfg)...)
	if !loopback(cfg.Console) {
		out = append(out, warn("config", "console %s is open to others; 127.0.0.1 and a tunnel are safer", cfg.Console))
	}
	if cfg.Guard.Limits == "off" {
		out = append(out, warn("config", "guard.limits is off: nothing stops a flood"))
	}
	if cfg.Worker == "off" {
		out = append(out, warn("config", "worker is off: nothing asks for payments whose callback was lost, nothing expires"))
	}
	return out
}

// doctorPublicURL judges whether buyers and payment platforms find the shop,
// and whether the shop tells buyers apart.
func doctorPublicURL(cfg app.Config) []finding {
	u, err := url.Parse(cfg.Shop.PublicURL)
	if err != nil || u.Host == "" {
		return nil
	}
	here := loopback(net.JoinHostPort(u.Hostname(), "80"))
	switch {
	case here && !loopback(cfg.HTTP):
		return []finding{warn("config", "shop.public_url is %s: payment platforms cannot reach that; set it to the address that buyers open", cfg.Shop.PublicURL)}
	case !here && loopback(cfg.HTTP) && len(cfg.Web.TrustedProxies) == 0:
		return []finding{warn("config", "web.trusted_proxies is empty: behind a proxy all buyers share one allowance; set it to the proxy's address")}
	}
	return nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// doctorFiles judges the data directory, what lies in it, and the key file.
func doctorFiles(cfg app.Config) []finding {
	out := []finding{doctorDir(cfg.Data)}
	if out[0].Level == levelBad {
		return out
	}
	if open := openToOthers(cfg.Data); len(open) > 0 {
		out = append(out, bad("files", "other users can read %s: chmod go= them", strings.Join(open, ", ")))
	} else {
		out = append(out, ok("files", "only their owner can read them"))
	}
	return append(out, doctorKey(cfg)...)
}

// doctorChannels judges the files that channels of alerts read.
func doctorChannels(ctx context.Context, cfg app.Config) []finding {
	var out []finding
	for _, ch := range cfg.Notify.Channels {
		if err := ch.CheckFiles(); err != nil {
			out = append(out, bad("alerts", "channel %s: %s", ch.Name, explain(ctx, err)))
		}
	}
	return out
}

// doctorDir judges the data directory itself.
func doctorDir(dir string) finding {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok("data", "%s does not exist yet; it will be made", dir)
	case err != nil:
		return bad("data", "%s", err)
	case !info.IsDir():
		return bad("data", "%s is not a directory", dir)
	case info.Mode().Perm()&0o077 != 0:
		return bad("data", "%s has mode %04o: chmod 0700 it", dir, info.Mode().Perm())
	}
	if owner, known := ownerOf(info); known && owner != os.Geteuid() {
		return warn("data", "%s belongs to user %d, and this is user %d: run commands as the shop's user", dir, owner, os.Geteuid())
	}
	return ok("data", "%s, mode %04o", dir, info.Mode().Perm())
}

func ownerOf(info fs.FileInfo) (uid int, known bool) {
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, false
	}
	return int(stat.Uid), true
}

// openToOthers lists up to five files of the data directory that group or
// others can read or write.
func openToOthers(dir string) []string {
	var out []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // files come and go while a shop runs
		}
		info, err := d.Info()
		if err != nil || path == dir || d.IsDir() || info.Mode().Type()&fs.ModeSymlink != 0 {
			return nil //nolint:nilerr // as above
		}
		if info.Mode().Perm()&0o066 != 0 {
			out = append(out, path)
		}
		if len(out) == 5 {
			return fs.SkipAll
		}
		return nil
	})
	return out
}

// doctorKey judges mode and place of the key file. What is in it is proved by
// opening the shop.
func doctorKey(cfg app.Config) []finding {
	path := cfg.Vault.KeyFile
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && hasShop(cfg):
		return []finding{bad("key", "%s is missing: card keys cannot be read without it; put the copy back", path)}
	case errors.Is(err, fs.ErrNotExist):
		return []finding{ok("key", "%s will be made with the shop", path)}
	case err != nil:
		return []finding{bad("key", "%s", err)}
	}
	return []finding{keyMode(path, info), keyPlace(path, cfg.Data)}
}

func keyMode(path string, info fs.FileInfo) finding {
	if info.Mode().Type()&fs.ModeSymlink != 0 {
		if target, err := os.Stat(path); err == nil {
			info = target
		}
	}
	switch owner, known := ownerOf(info); {
	case !info.Mode().IsRegular():
		return bad("key", "%s is not a regular file", path)
	case info.Mode().Perm()&^0o600 != 0:
		return bad("key", "%s has mode %04o: chmod 0600 it", path, info.Mode().Perm())
	case known && owner != os.Geteuid():
		return warn("key", "%s belongs to user %d, and this is user %d", path, owner, os.Geteuid())
	}
	return ok("key", "%s, mode %04o", path, info.Mode().Perm())
}

// keyPlace tells what a thief of the data would get.
func keyPlace(path, data string) finding {
	if within(path, data) {
		return bad("key", "%s lies in the data directory: who copies one has both; set vault.key_file", path)
	}
	if sameDisk(path, data) {
		return warn("key", "%s lies on the same disk as the data: a stolen disk gives both away; set vault.key_file to another place", path)
	}
	return ok("key", "lies on another disk than the data")
}

// within tells whether path lies below dir, links followed.
func within(path, dir string) bool {
	p, errP := filepath.EvalSymlinks(path)
	d, errD := filepath.EvalSymlinks(dir)
	if errP != nil || errD != nil {
		return false
	}
	p, errP = filepath.Abs(p)
	d, errD = filepath.Abs(d)
	rel, err := filepath.Rel(d, p)
	return errors.Join(errP, errD, err) == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func sameDisk(a, b string) bool {
	var x, y syscall.Stat_t
	if syscall.Stat(a, &x) != nil || syscall.Stat(b, &y) != nil {
		return false
	}
	return x.Dev == y.Dev
}
