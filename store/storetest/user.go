package storetest

import (
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

const password = "correct horse battery"

// user makes the account of hana, or changes it.
func (b *bench) user(tb testing.TB, role record.Role) record.User {
	tb.Helper()
	u, err := b.AddUser(tb.Context(), operator, "hana", password, role)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

var userTests = map[string]func(*testing.T, *bench){
	"a user logs in, is known by the session and logs out": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		token, err := b.Login(t.Context(), "hana", password)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := b.Session(t.Context(), token); err != nil || a != (record.Actor{Name: "user:hana", Role: record.Operator}) {
			t.Errorf("got %+v (%v)", a, err)
		}
		if err := b.Logout(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		_, err = b.Session(t.Context(), token)
		wantFault(t, err, ats.Denied)
		for _, c := range [][2]string{{"hana", "wrong password"}, {"nobody", password}, {"", ""}, {"hana", ""}} {
			_, err := b.Login(t.Context(), c[0], c[1])
			wantFault(t, err, ats.Denied)
			if got := err.Error(); got != "name or password is wrong" {
				t.Errorf("the answer tells more: %q", got)
			}
		}
		b.wantNowhere(t, password, token)
	},
	"a session ends": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		token, err := b.Login(t.Context(), "hana", password)
		if err != nil {
			t.Fatal(err)
		}
		b.clock.Pass(12 * time.Hour)
		_, err = b.Session(t.Context(), token)
		wantFault(t, err, ats.Denied)
		if _, err := b.Login(t.Context(), "hana", password); err != nil {
			t.Fatal(err)
		}
		if n := b.count(t, `SELECT count(*) FROM sessions`); n != 1 {
			t.Errorf("sessions kept: got %d, want 1", n)
		}
	},
	"a new password ends sessions and keeps the account": func(t *testing.T, b *bench) {
		first := b.user(t, record.Operator)
		token, err := b.Login(t.Context(), "hana", password)
		if err != nil {
			t.Fatal(err)
		}
		b.clock.Pass(time.Hour)
		second, err := b.AddUser(t.Context(), operator, "hana", "another good one", record.Viewer)
		if err != nil || second.ID != first.ID || !second.CreatedAt.Equal(first.CreatedAt) || second.Role != record.Viewer {
			t.Errorf("got %+v (%v), want %+v as viewer", second, err, first)
		}
		_, err = b.Session(t.Context(), token)
		wantFault(t, err, ats.Denied)
		_, err = b.Login(t.Context(), "hana", password)
		wantFault(t, err, ats.Denied)
		if users, err := b.Users(t.Context()); err != nil || len(users) != 1 || users[0] != second {
			t.Errorf("users: got %v (%v)", users, err)
		}
	},
	"accounts that cannot be": func(t *testing.T, b *bench) {
		for name, c := range map[string]struct {
			user, password string
			role           record.Role
		}{
			"no name":          {"", password, record.Viewer},
			"a blank":          {"ha na", password, record.Viewer},
			"a colon":          {"user:hana", password, record.Viewer},
			"a short password": {"hana", "short", record.Viewer},
			"no role":          {"hana", password, ""},
			"an unknown role":  {"hana", password, "king"},
		} {
			_, err := b.AddUser(t.Context(), operator, c.user, c.password, c.role)
			if got := ats.FaultOf(err); got != ats.Invalid {
				t.Errorf("%s: got %q (%v), want invalid", name, got, err)
			}
		}
	},
	"a token is never more than its user": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		for role, want := range map[record.Role]record.Role{"": record.Operator, record.Viewer: record.Viewer, record.Operator: record.Operator} {
			token, err := b.AddToken(t.Context(), operator, "hana", "ci", role)
			if err != nil {
				t.Fatal(err)
			}
			if a, err := b.Token(t.Context(), token); err != nil || a != (record.Actor{Name: "token:hana/ci", Role: want}) {
				t.Errorf("%q: got %+v (%v), want %s", role, a, err, want)
			}
			b.wantNowhere(t, token)
		}
		_, err := b.AddToken(t.Context(), operator, "hana", "ci", record.Admin)
		wantFault(t, err, ats.Denied)
		_, err = b.AddToken(t.Context(), operator, "hana", "ci", "king")
		wantFault(t, err, ats.Denied)
		_, err = b.AddToken(t.Context(), operator, "nobody", "ci", record.Viewer)
		wantFault(t, err, ats.NotFound)
		_, err = b.Token(t.Context(), "cr_unknown")
		wantFault(t, err, ats.Denied)
		token, err := b.AddToken(t.Context(), operator, "hana", "ci", record.Operator)
		if err != nil {
			t.Fatal(err)
		}
		b.user(t, record.Viewer)
		if a, err := b.Token(t.Context(), token); err != nil || a.Role != record.Viewer {
			t.Errorf("after the user became a viewer: got %+v (%v)", a, err)
		}
		b.exec(t, `UPDATE users SET disabled_at = 1`)
		_, err = b.Token(t.Context(), token)
		wantFault(t, err, ats.Denied)
	},
}
