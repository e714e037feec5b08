package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds how many X-Forwarded-For entries are looked at.
const maxHops = 16

// clientAddr finds who sent r: the peer, or when the peer is a trusted proxy
// the last hop of X-Forwarded-For that is not. Whatever stands left of that
// hop may have been invented by the sender and is not read (controls C4). The
// zero Addr means that the peer has no IP address (a Unix socket).
func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	last := parseHop(r.RemoteAddr)
	if !isTrusted(last, trusted) {
		return last
	}
	hops := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	for n := 0; hops != "" && n < maxHops; n++ {
		at := strings.LastIndexByte(hops, ',')
		hop := parseHop(hops[at+1:])
		hops = hops[:max(at, 0)]
		if !hop.IsValid() {
			return last // an entry that a trusted proxy would not write
		}
		last = hop
		if !isTrusted(hop, trusted) {
			return last
		}
	}
	return last
}

// parseHop reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1" or
// "[2001:db8::1]:80".
func parseHop(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	if !addr.IsValid() {
		return false
	}
	for _, p := range trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// limitKey is what one client is counted under: its IPv4 address, or its
// IPv6 /64, because one customer of an IPv6 network has a whole /64.
func limitKey(addr netip.Addr) string {
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.Addr().String()
		}
	}
	return addr.String()
}
