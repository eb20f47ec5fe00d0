package relay

import (
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/career-relay/connector/ats"
)

// NewHTTPClient makes the client for addresses that come from configuration:
// recipients and vendors. It follows no redirect and uses no proxy. Unless
// allowPrivate is set it reaches public addresses only: each address is checked
// when it is dialled, after its name was resolved, so that no name can lead into
// our own network. A refused address is an ats.Denied error.
func NewHTTPClient(allowPrivate bool) *http.Client {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if !allowPrivate {
		d.Control = publicOnly
	}
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: stay,
		Transport: &http.Transport{
			DialContext: d.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 25 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 100, MaxIdleConnsPerHost: 8, IdleConnTimeout: 90 * time.Second,
		},
	}
}

// stay does not follow a redirect: what we send is meant for one address.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func publicOnly(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !public(a.Addr()) {
		return ats.Errorf(ats.Denied, "%s is not a public address", a.Addr())
	}
	return nil
}

// reserved are the networks that look public and are not: for this network,
// for carriers, for tests and documents, and for translation between protocols.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("fec0::/10"),
}

// embedding are networks whose addresses carry an IPv4 address, with the byte
// at which it begins.
var embedding = map[netip.Prefix]int{netip.MustParsePrefix("64:ff9b::/96"): 12, netip.MustParsePrefix("2002::/16"): 2}

func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, n := range reserved {
		if n.Contains(a) {
			return false
		}
	}
	for n, at := range embedding {
		if b := a.As16(); n.Contains(a) {
			return public(netip.AddrFrom4([4]byte(b[at : at+4])))
		}
	}
	return true
}
