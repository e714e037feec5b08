package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
)

// Ways are how channels get out. The composition root makes them.
type Ways struct {
	Public  Way // reaches public addresses only (PublicOnly)
	Private Way // any address
}

// Way is one way out: requests that follow no redirect and verify whom they
// speak to, and plain connections for mail.
type Way struct {
	HTTP  *http.Client
	Roots *x509.CertPool // whom mail servers are verified by; nil: the system's
	Dial  func(ctx context.Context, network, address string) (net.Conn, error)
}

// errPrivate is what a channel without allow_private gets for an address of the
// own network.
var errPrivate = errors.New("the address is not public; set allow_private if the receiver is in your own network")

// PublicOnly is net.Dialer.Control for targets that a person configured: it
// refuses every address that is not on the public internet. It sees the
// address that is really connected to, so that no name can be made to mean
// another one between check and use.
func PublicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !public(at.Addr()) {
		return errPrivate
	}
	return nil
}

// public tells whether an address is on the public internet, by the registries
// of special addresses (RFC 6890 and what updates it).
func public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, special := range specialNets() {
		if netip.MustParsePrefix(special).Contains(ip) {
			return false
		}
	}
	return true
}

// specialNets are unicast networks that lead to no public host, or, by a
// translation, to one inside.
func specialNets() []string {
	return []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
		"fec0::/10", "5f00::/16", "3fff::/20",
	}
}
