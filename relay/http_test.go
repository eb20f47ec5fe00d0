package relay

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/career-relay/connector/ats"
)

func TestPublic(t *testing.T) {
	tests := map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "104.16.0.1": true, "172.15.255.255": true, "172.32.0.1": true, "192.167.255.255": true, "100.63.255.255": true, "100.128.0.1": true, "198.17.0.1": true, "223.255.255.255": true,
		"2606:4700::1111": true, "2a00:1450::1": true, "::ffff:8.8.8.8": true, "64:ff9b::808:808": true, "2002:808:808::1": true,

		"127.0.0.1": false, "127.255.255.254": false, "10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false, "0.0.0.0": false, "0.1.2.3": false,
		"100.64.0.1": false, "100.127.255.255": false, "192.0.0.8": false, "192.0.2.1": false, "192.88.99.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false, "203.0.113.1": false,
		"224.0.0.1": false, "239.255.255.250": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::7f00:1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12:3456::1": false, "ff02::1": false, "fec0::1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "64:ff9b:1::1": false, "2002:7f00:1::1": false, "2002:c0a8:101::1": false, "2001::1": false, "2001:db8::1": false, "3fff::1": false, "100::1": false, "5f00::1": false,
	}
	for address, want := range tests {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %t, want %t", address, got, want)
		}
	}
	if err := publicOnly("tcp4", "8.8.8.8:443", nil); err != nil {
		t.Errorf("a public address: %v", err)
	}
	if err := publicOnly("unix", "/run/socket", nil); ats.FaultOf(err) != ats.Denied {
		t.Errorf("a socket: got %v", err)
	}
}

// The address is checked when it is dialled, so a name that leads into our own
// network does not help.
func TestNewHTTPClient(t *testing.T) {
	reached := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached++
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		}
	}))
	defer s.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	get := func(c *http.Client, address string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		return res, err
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"} {
		if _, err := get(NewHTTPClient(false), "http://"+net.JoinHostPort(strings.Trim(host, "[]"), port)+"/"); err == nil {
			t.Errorf("%s was reached", host)
		} else if net.ParseIP(strings.Trim(host, "[]")) != nil && ats.FaultOf(err) != ats.Denied {
			t.Errorf("%s: got %v, want a denied error", host, err)
		}
	}
	if reached != 0 {
		t.Errorf("a private address was reached %d times", reached)
	}
	open := NewHTTPClient(true)
	if _, err := get(open, s.URL); err != nil || reached != 1 {
		t.Errorf("an address that is allowed: %v", err)
	}
	res, err := get(open, s.URL+"/away")
	if err != nil || res.StatusCode != http.StatusTemporaryRedirect || reached != 2 {
		t.Errorf("a redirect was followed: %v", err)
	}
	if open.Timeout == 0 {
		t.Error("no timeout")
	}
}

// No setting of the environment sends profiles through somebody else's machine.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	for _, private := range []bool{false, true} {
		if NewHTTPClient(private).Transport.(*http.Transport).Proxy != nil {
			t.Errorf("a proxy is used (private=%t)", private)
		}
	}
}
