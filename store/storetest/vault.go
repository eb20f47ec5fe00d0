package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// plainToken is a token as it can be compared: secrets hide themselves.
func plainToken(tb testing.TB, v connectors.Vault) [5]any {
	tb.Helper()
	t, err := v.Token(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return [5]any{t.Version, t.Grant, string(t.Access), string(t.Refresh), t.Until}
}

func keepToken(tb testing.TB, v connectors.Vault, version int64, refresh string, until time.Time) {
	tb.Helper()
	if err := v.Claim(tb.Context(), version, lease); err != nil {
		tb.Fatal(err)
	}
	if err := v.Keep(tb.Context(), connectors.Token{Version: version, Grant: "g", Access: ats.Secret("access-" + refresh), Refresh: ats.Secret(refresh), Until: until}); err != nil {
		tb.Fatal(err)
	}
}

var vaultTests = map[string]func(*testing.T, *bench){
	"a token is kept for every process, encrypted, and over a change of the key": func(t *testing.T, b *bench) {
		v := b.Vault("acme", "zoho")
		until := b.clock.Now().Add(time.Hour)
		if diff := cmp.Diff([5]any{int64(0), "", "", "", time.Time{}}, plainToken(t, v)); diff != "" {
			t.Errorf("before (-want +got):\n%s", diff)
		}
		keepToken(t, v, 0, "refresh-1", until)
		want := [5]any{int64(1), "g", "access-refresh-1", "refresh-1", until}
		if diff := cmp.Diff(want, plainToken(t, b.open(t).Vault("acme", "zoho"))); diff != "" {
			t.Errorf("in another process (-want +got):\n%s", diff)
		}
		for _, other := range []connectors.Vault{b.Vault("acme", "salesforce"), b.Vault("globex", "zoho")} {
			if got := plainToken(t, other); got[0] != int64(0) {
				t.Errorf("another connection: got %v, want nothing", got)
			}
		}
		if n := b.count(t, `SELECT count(*) FROM grants WHERE CAST(sealed AS TEXT) LIKE '%refresh-1%'`); n != 0 {
			t.Error("the token stands in the database in plain")
		}
		both, err := b.reopen(t, Key(2), Key(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := both.Rewrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		rotated, err := b.reopen(t, Key(2))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, plainToken(t, rotated.Vault("acme", "zoho"))); diff != "" {
			t.Errorf("with the new key (-want +got):\n%s", diff)
		}
	},
	"a token moved to another row cannot be read": func(t *testing.T, b *bench) {
		keepToken(t, b.Vault("acme", "zoho"), 0, "refresh-1", b.clock.Now())
		b.exec(t, `UPDATE grants SET connection = 'salesforce'`)
		if _, err := b.Vault("acme", "salesforce").Token(t.Context()); err == nil {
			t.Error("it was read")
		}
	},
	"one of many renews a token": func(t *testing.T, b *bench) {
		var won atomic.Int64
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				switch err := b.Vault("acme", "zoho").Claim(t.Context(), 0, lease); {
				case err == nil:
					won.Add(1)
				case ats.FaultOf(err) != ats.Duplicate:
					t.Error(err)
				}
			})
		}
		group.Wait()
		if won.Load() != 1 {
			t.Errorf("%d renew, want one", won.Load())
		}
	},
	"a claim ends: by its time, by a release, with a new token": func(t *testing.T, b *bench) {
		v := b.Vault("acme", "zoho")
		claim := func(what string, version int64, want ats.Fault) {
			t.Helper()
			if err := v.Claim(t.Context(), version, lease); ats.FaultOf(err) != want {
				t.Errorf("%s: got %v, want %q", what, err, want)
			}
		}
		claim("the first", 0, "")
		claim("at the same time", 0, ats.Duplicate)
		b.clock.Pass(lease)
		claim("after its time", 0, "")
		if err := v.Release(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		claim("after the release", 0, "")
		if err := v.Keep(t.Context(), connectors.Token{Access: "a", Refresh: "b"}); err != nil {
			t.Fatal(err)
		}
		claim("of the token before", 0, ats.Duplicate)
		if err := v.Release(t.Context(), 0); err != nil {
			t.Errorf("a release that comes late: %v", err)
		}
		claim("of the new token", 1, "")
	},
	"who comes late does not overwrite a newer token": func(t *testing.T, b *bench) {
		v := b.Vault("acme", "zoho")
		if err := v.Claim(t.Context(), 0, lease); err != nil {
			t.Fatal(err)
		}
		b.clock.Pass(lease)
		keepToken(t, v, 0, "refresh-2", b.clock.Now())
		if err := v.Keep(t.Context(), connectors.Token{Access: "old", Refresh: "refresh-1"}); ats.FaultOf(err) != ats.Duplicate {
			t.Errorf("got %v, want duplicate", err)
		}
		if got := plainToken(t, v); got[3] != "refresh-2" {
			t.Errorf("got %v, want the newer token", got)
		}
	},
}
