package storetest

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
)

const (
	password = "correct horse battery"
	idle     = 2 * time.Hour
	issuer   = "https://login.example.jp"
)

// visit is how hana comes.
var visit = record.Visit{Agent: "Firefox, Linux"}

// user makes the account of hana, or changes it.
func (b *bench) user(tb testing.TB, role record.Role) record.User {
	tb.Helper()
	u, err := b.AddUser(tb.Context(), operator, "hana", password, role)
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// enter signs hana in as far as the password goes.
func (b *bench) enter(tb testing.TB, v record.Visit) record.Entry {
	tb.Helper()
	e, err := b.Login(tb.Context(), "hana", password, v)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// factor sets hana's second factor up and returns its secret and the recovery
// codes.
func (b *bench) factor(tb testing.TB) (secret []byte, codes []string) {
	tb.Helper()
	e := b.enter(tb, visit)
	secret = b.NewFactor(e.Token)
	_, codes, err := b.SetFactor(tb.Context(), e.Token, b.code(secret), visit)
	if err != nil {
		tb.Fatal(err)
	}
	return secret, codes
}

func (b *bench) code(secret []byte) string { return access.Code(secret, access.Step(b.clock.Now())) }

// oldPassword is the password as it was kept with other parameters, which form
// begins with.
func oldPassword(form string) string {
	salt, _ := base64.RawStdEncoding.DecodeString("AAECAwQFBgcICQoLDA0ODw")
	return form + base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(password), salt, 1, 8192, 1, 32))
}

// noted returns what the audit log says since a number of entries, oldest first.
func (b *bench) noted(tb testing.TB, since int) []string {
	tb.Helper()
	var out []string
	err := b.WalkAudit(tb.Context(), record.Filter{}, func(a record.Audit) error {
		if a.Seq > int64(since) {
			out = append(out, strings.Join([]string{a.Actor, a.Verb, a.Noun, a.Subject, a.Company, a.Reason}, "|"))
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

var userTests = map[string]func(*testing.T, *bench){
	"a user logs in, is known by the session and logs out": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		e := b.enter(t, visit)
		if e.Step != record.In || e.User != "hana" {
			t.Errorf("got %+v", e)
		}
		if a, err := b.Session(t.Context(), e.Token, idle); err != nil || a != (record.Actor{Name: "user:hana", Role: record.Operator}) {
			t.Errorf("got %+v (%v)", a, err)
		}
		if err := b.Logout(t.Context(), e.Token); err != nil {
			t.Fatal(err)
		}
		_, err := b.Session(t.Context(), e.Token, idle)
		wantFault(t, err, ats.Denied)
		for _, c := range [][2]string{{"hana", "wrong password"}, {"nobody", password}, {"", ""}, {"hana", ""}, {"hana", strings.Repeat("x", 5000)}} {
			_, err := b.Login(t.Context(), c[0], c[1], visit)
			wantFault(t, err, ats.Denied)
			if got := err.Error(); got != "name or password is wrong" {
				t.Errorf("the answer tells more: %q", got)
			}
		}
		b.wantNowhere(t, password, e.Token)
	},
	"a session ends after its life, and when it lies idle": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		used, left := b.enter(t, visit), b.enter(t, visit)
		for range 7 {
			b.clock.Pass(90 * time.Minute)
			if _, err := b.Session(t.Context(), used.Token, idle); err != nil {
				t.Fatalf("a session in use: %v", err)
			}
		}
		_, err := b.Session(t.Context(), left.Token, idle)
		wantFault(t, err, ats.Denied)
		b.clock.Pass(90 * time.Minute) // twelve hours
		_, err = b.Session(t.Context(), used.Token, idle)
		wantFault(t, err, ats.Denied)
		b.enter(t, visit)
		if n := b.count(t, `SELECT count(*) FROM sessions`); n != 1 {
			t.Errorf("sessions kept: got %d, want 1", n)
		}
	},
	"looking within a minute writes nothing": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		e := b.enter(t, visit)
		before := b.rows(t, "sessions")
		b.clock.Pass(59 * time.Second)
		if _, err := b.Session(t.Context(), e.Token, idle); err != nil || !slices.Equal(before, b.rows(t, "sessions")) {
			t.Errorf("the session changed (%v)", err)
		}
		b.clock.Pass(time.Second)
		if _, err := b.Session(t.Context(), e.Token, idle); err != nil || slices.Equal(before, b.rows(t, "sessions")) {
			t.Errorf("the last use is not kept (%v)", err)
		}
	},
	"a new password ends sessions and keeps the account": func(t *testing.T, b *bench) {
		first := b.user(t, record.Operator)
		e := b.enter(t, visit)
		b.clock.Pass(time.Hour)
		second, err := b.AddUser(t.Context(), operator, "hana", "another good one", record.Viewer)
		if err != nil || second.ID != first.ID || !second.CreatedAt.Equal(first.CreatedAt) || second.Role != record.Viewer {
			t.Errorf("got %+v (%v), want %+v as viewer", second, err, first)
		}
		_, err = b.Session(t.Context(), e.Token, idle)
		wantFault(t, err, ats.Denied)
		_, err = b.Login(t.Context(), "hana", password, visit)
		wantFault(t, err, ats.Denied)
		if users, err := b.Users(t.Context()); err != nil || len(users) != 1 || users[0] != second {
			t.Errorf("users: got %v (%v)", users, err)
		}
	},
	"accounts that cannot be": func(t *testing.T, b *bench) {
		for name, c := range map[string]struct {
			user, password, company string
			role                    record.Role
		}{
			"no name":                  {"", password, "", record.Viewer},
			"a blank":                  {"ha na", password, "", record.Viewer},
			"a colon":                  {"user:hana", password, "", record.Viewer},
			"a slash":                  {"hana/ci", password, "", record.Viewer},
			"a short password":         {"hana", "short", "", record.Viewer},
			"nine characters":          {"hana", "九文字の合言葉です", "", record.Viewer},
			"one letter, again":        {"hana", "aaaaaaaaaaaaaaaa", "", record.Viewer},
			"the name":                 {"hana.tanaka", "Hana.Tanaka", "", record.Viewer},
			"an endless password":      {"hana", strings.Repeat("ab", 600), "", record.Viewer},
			"no role":                  {"hana", password, "", ""},
			"an unknown role":          {"hana", password, "", "king"},
			"a recruiter of nothing":   {"hana", password, "", record.Recruiter},
			"an admin of one company":  {"hana", password, "acme", record.Admin},
			"a viewer of one company…": {"hana", password, "acme", record.Viewer},
		} {
			_, err := b.SaveUser(t.Context(), operator, record.User{Name: c.user, Role: c.role, Company: c.company}, c.password)
			if got := ats.FaultOf(err); got != ats.Invalid {
				t.Errorf("%s: got %q (%v), want invalid", name, got, err)
			}
		}
		if n := b.count(t, `SELECT count(*) FROM audit`); n != 0 {
			t.Errorf("what was refused is noted %d times", n)
		}
	},
	"a password is kept anew when the parameters have changed": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		// 8 MiB, one pass and one lane.
		const old = "$argon2id$v=19$m=8192,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$"
		for name, kept := range map[string]string{"broken": "rubbish", "empty": "", "of another kind": "$argon2i$v=19$m=8192,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAA", "without a key": old} {
			b.exec(t, `UPDATE users SET password = $1`, kept)
			if _, err := b.Login(t.Context(), "hana", password, visit); ats.FaultOf(err) != ats.Denied {
				t.Errorf("%s: got %v", name, err)
			}
			if _, err := b.Login(t.Context(), "hana", "", visit); ats.FaultOf(err) != ats.Denied {
				t.Errorf("%s, without a password: got %v", name, err)
			}
		}
		b.exec(t, `UPDATE users SET password = $1`, oldPassword(old))
		_, err := b.Login(t.Context(), "hana", "wrong", visit)
		wantFault(t, err, ats.Denied)
		if n := b.count(t, `SELECT count(*) FROM users WHERE password LIKE '%m=8192%'`); n != 1 {
			t.Error("a wrong password changed what is kept")
		}
		for range 2 {
			b.enter(t, visit)
			if n := b.count(t, `SELECT count(*) FROM users WHERE password LIKE '$argon2id$v=19$m=65536,t=3,p=4$%'`); n != 1 {
				t.Error("the password is not kept with today's parameters")
			}
		}
	},
	"a password is changed by whoever knows it": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		here, there := b.enter(t, visit), b.enter(t, visit)
		_, err := b.ChangePassword(t.Context(), here.Token, "wrong password", "another good one")
		wantFault(t, err, ats.Denied)
		_, err = b.ChangePassword(t.Context(), here.Token, password, "short")
		wantFault(t, err, ats.Invalid)
		_, err = b.ChangePassword(t.Context(), "GUESSED", password, "another good one")
		wantFault(t, err, ats.Denied)
		n := b.count(t, `SELECT count(*) FROM audit`)
		fresh, err := b.ChangePassword(t.Context(), here.Token, password, "another good one")
		if err != nil {
			t.Fatal(err)
		}
		for _, gone := range []string{here.Token, there.Token} {
			_, err = b.Session(t.Context(), gone, idle)
			wantFault(t, err, ats.Denied)
		}
		if _, err := b.Session(t.Context(), fresh, idle); err != nil {
			t.Error(err)
		}
		if got, want := b.noted(t, n), []string{"user:hana|change password|user|hana||"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	},
	"roles, switching off and on": func(t *testing.T, b *bench) {
		b.user(t, record.Admin)
		e := b.enter(t, visit)
		ctx := t.Context()
		wantFault(t, b.ChangeRole(ctx, operator, "hana", record.Viewer, "", "left the team"), ats.Conflict) // the last admin
		wantFault(t, b.DisableUser(ctx, operator, "hana", "left"), ats.Conflict)
		if _, err := b.AddUser(ctx, operator, "boss", password, record.Admin); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Session(ctx, e.Token, idle); err != nil {
			t.Fatal(err)
		}
		n := b.count(t, `SELECT count(*) FROM audit`)
		wantFault(t, b.ChangeRole(ctx, operator, "hana", record.Viewer, "", " "), ats.Invalid)
		wantFault(t, b.ChangeRole(ctx, operator, "hana", record.Recruiter, "", "moved"), ats.Invalid)
		wantFault(t, b.ChangeRole(ctx, operator, "nobody", record.Viewer, "", "moved"), ats.NotFound)
		wantFault(t, b.EnableUser(ctx, operator, "hana", "back"), ats.Conflict)
		for _, err := range []error{
			b.ChangeRole(ctx, operator, "hana", record.Recruiter, "acme", "moved"),
			b.DisableUser(ctx, operator, "hana", "left"),
			b.EnableUser(ctx, operator, "hana", "back"),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := b.Session(ctx, e.Token, idle)
		wantFault(t, err, ats.Denied)
		if a, err := b.Session(ctx, b.enter(t, visit).Token, idle); err != nil || a != (record.Actor{Name: "user:hana", Role: record.Recruiter, Company: "acme"}) {
			t.Errorf("got %+v (%v)", a, err)
		}
		want := []string{
			"user:hana|change role|user|hana||moved", "user:hana|disable|user|hana|acme|left", "user:hana|enable|user|hana|acme|back", "user:hana|login|user|hana||",
		}
		if got := b.noted(t, n); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		wantFault(t, b.DisableUser(ctx, operator, "boss", "left"), ats.Conflict)
	},
	"two admins cannot take the role from each other": func(t *testing.T, b *bench) {
		for _, name := range []string{"hana", "boss"} {
			if _, err := b.AddUser(t.Context(), operator, name, password, record.Admin); err != nil {
				t.Fatal(err)
			}
		}
		errs := together(2, func(i int) error {
			return b.DisableUser(t.Context(), operator, []string{"hana", "boss"}[i], "left")
		})
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("got %v, want one refused", errs)
		}
	},
	"a second factor is set up, asked for and reset": func(t *testing.T, b *bench) {
		b.user(t, record.Admin)
		ctx := t.Context()
		must := record.Visit{Settings: access.Settings{SecondFactor: []record.Role{record.Admin}}}
		e := b.enter(t, must)
		if e.Step != record.Enroll {
			t.Fatalf("step: got %q, want enroll", e.Step)
		}
		_, err := b.Session(ctx, e.Token, idle)
		wantFault(t, err, ats.Denied)
		secret := b.NewFactor(e.Token)
		_, _, err = b.SetFactor(ctx, e.Token, "000000", must)
		wantFault(t, err, ats.Denied)
		in, codes, err := b.SetFactor(ctx, e.Token, b.code(secret), must)
		if err != nil || in.Step != record.In || len(codes) != 10 {
			t.Fatalf("got %+v, %d codes (%v)", in, len(codes), err)
		}
		if _, err := b.Session(ctx, in.Token, idle); err != nil {
			t.Error(err)
		}
		b.wantNowhere(t, string(secret), access.SecretText(secret), codes[0], strings.ReplaceAll(codes[0], "-", ""))

		e = b.enter(t, must)
		if e.Step != record.Code {
			t.Fatalf("step: got %q, want code", e.Step)
		}
		if a, err := b.Arriving(ctx, e.Token); err != nil || a != e {
			t.Errorf("arriving: got %+v (%v), want %+v", a, err, e)
		}
		_, _, err = b.SetFactor(ctx, e.Token, b.code(b.NewFactor(e.Token)), must)
		wantFault(t, err, ats.Conflict) // the password alone does not replace the factor
		_, err = b.EnterCode(ctx, e.Token, b.code(secret), must)
		wantFault(t, err, ats.Denied) // used when it was set up
		b.clock.Pass(30 * time.Second)
		n := b.count(t, `SELECT count(*) FROM audit`)
		in, err = b.EnterCode(ctx, e.Token, b.code(secret), must)
		if err != nil {
			t.Fatal(err)
		}
		if in.Token == e.Token {
			t.Error("the token is the same after the code")
		}
		_, err = b.Arriving(ctx, e.Token)
		wantFault(t, err, ats.Denied)
		if got, want := b.noted(t, n), []string{"user:hana|login|user|hana||"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}

		wantFault(t, b.ResetFactor(ctx, operator, "hana", ""), ats.Invalid)
		if err := b.ResetFactor(ctx, operator, "hana", "lost the phone"); err != nil {
			t.Fatal(err)
		}
		wantFault(t, b.ResetFactor(ctx, operator, "hana", "again"), ats.Conflict)
		_, err = b.Session(ctx, in.Token, idle)
		wantFault(t, err, ats.Denied)
		if e := b.enter(t, must); e.Step != record.Enroll {
			t.Errorf("step: got %q, want enroll", e.Step)
		}
		if n := b.count(t, `SELECT count(*) FROM recovery_codes`); n != 0 {
			t.Errorf("%d recovery codes outlive the factor", n)
		}
	},
	"a code counts once, also at the same time": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		secret, _ := b.factor(t)
		b.clock.Pass(time.Minute)
		entries := []record.Entry{b.enter(t, visit), b.enter(t, visit), b.enter(t, visit), b.enter(t, visit)}
		errs := together(len(entries), func(i int) error {
			_, err := b.EnterCode(t.Context(), entries[i].Token, b.code(secret), visit)
			return err
		})
		in := 0
		for _, err := range errs {
			if err == nil {
				in++
			} else {
				wantFault(t, err, ats.Denied)
			}
		}
		if in != 1 {
			t.Errorf("%d came in with one code, want 1", in)
		}
	},
	"a recovery code counts once": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		_, codes := b.factor(t)
		if _, err := b.EnterCode(t.Context(), b.enter(t, visit).Token, strings.ToUpper(strings.ReplaceAll(codes[3], "-", " ")), visit); err != nil {
			t.Fatal(err)
		}
		_, err := b.EnterCode(t.Context(), b.enter(t, visit).Token, codes[3], visit)
		wantFault(t, err, ats.Denied)
		if u, err := b.User(t.Context(), "hana"); err != nil || u.Recovery != 9 || !u.Factor {
			t.Errorf("got %+v (%v)", u, err)
		}
		if _, err := b.AddUser(t.Context(), operator, "mallory", password, record.Viewer); err != nil {
			t.Fatal(err)
		}
		e, err := b.Login(t.Context(), "mallory", password, record.Visit{})
		if err != nil || e.Step != record.In {
			t.Fatal(e, err)
		}
		_, err = b.RenewRecovery(t.Context(), e.Token, codes[4])
		wantFault(t, err, ats.Denied)
		in, err := b.EnterCode(t.Context(), b.enter(t, visit).Token, codes[4], visit)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := b.RenewRecovery(t.Context(), in.Token, codes[5])
		if err != nil || len(fresh) != 10 || slices.Contains(fresh, codes[6]) {
			t.Errorf("got %d codes (%v)", len(fresh), err)
		}
		_, err = b.EnterCode(t.Context(), b.enter(t, visit).Token, codes[6], visit)
		wantFault(t, err, ats.Denied)
	},
	"guessing codes takes the password each few times": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		secret, _ := b.factor(t)
		b.clock.Pass(time.Minute)
		e := b.enter(t, visit)
		for range 5 {
			_, err := b.EnterCode(t.Context(), e.Token, "wrong", visit)
			wantFault(t, err, ats.Denied)
		}
		_, err := b.EnterCode(t.Context(), e.Token, b.code(secret), visit)
		wantFault(t, err, ats.Denied)
		e = b.enter(t, visit)
		b.clock.Pass(10 * time.Minute)
		_, err = b.EnterCode(t.Context(), e.Token, b.code(secret), visit)
		wantFault(t, err, ats.Denied) // too slow
	},
	"the secret of a session is nobody else's": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		one, other := b.enter(t, visit), b.enter(t, visit)
		if a, c := b.NewFactor(one.Token), b.NewFactor(other.Token); string(a) == string(c) || len(a) != access.SecretSize || string(a) != string(b.NewFactor(one.Token)) {
			t.Errorf("secrets %x and %x", a, c)
		}
	},
	"sessions are listed and ended": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		ctx := t.Context()
		here := b.enter(t, visit)
		b.clock.Pass(time.Second)
		there := b.enter(t, record.Visit{Agent: "Safari, iPhone"})
		if _, err := b.AddUser(ctx, operator, "ryo", password, record.Viewer); err != nil {
			t.Fatal(err)
		}
		ryo, err := b.Login(ctx, "ryo", password, visit)
		if err != nil {
			t.Fatal(err)
		}
		all, err := b.Sessions(ctx, "", here.Token, idle)
		if err != nil || len(all) != 3 {
			t.Fatalf("got %v (%v), want three", all, err)
		}
		mine, err := b.Sessions(ctx, "hana", here.Token, idle)
		if err != nil || len(mine) != 2 || mine[0].Agent != "Safari, iPhone" || mine[0].Current || !mine[1].Current {
			t.Fatalf("got %+v (%v)", mine, err)
		}
		n := b.count(t, `SELECT count(*) FROM audit`)
		wantFault(t, b.EndSession(ctx, operator, mine[0].ID, "ryo"), ats.NotFound) // another's
		if err := b.EndSession(ctx, operator, mine[0].ID, "hana"); err != nil {
			t.Fatal(err)
		}
		_, err = b.Session(ctx, there.Token, idle)
		wantFault(t, err, ats.Denied)
		if err := b.EndSessions(ctx, operator, "ryo", here.Token, "a lost laptop"); err != nil {
			t.Fatal(err)
		}
		_, err = b.Session(ctx, ryo.Token, idle)
		wantFault(t, err, ats.Denied)
		if _, err := b.Session(ctx, here.Token, idle); err != nil {
			t.Error(err)
		}
		want := []string{"user:hana|end session|user|hana||", "user:hana|end sessions|user|ryo||a lost laptop"}
		if got := b.noted(t, n); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	},
	"who comes through a provider": func(t *testing.T, b *bench) {
		ctx := t.Context()
		who := record.Identity{Issuer: issuer, Subject: "s-1", Name: "Ken@acme.example.jp", Grant: access.Grant{Role: record.Recruiter, Company: "acme"}}
		first, err := b.Admit(ctx, who, visit)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := b.Session(ctx, first.Token, idle); err != nil || a != (record.Actor{Name: "user:ken@acme.example.jp", Role: record.Recruiter, Company: "acme"}) {
			t.Errorf("got %+v (%v)", a, err)
		}
		_, err = b.Login(ctx, "ken@acme.example.jp", "", visit)
		wantFault(t, err, ats.Denied)
		_, err = b.SaveUser(ctx, operator, record.User{Name: "ken@acme.example.jp", Role: record.Admin}, password)
		wantFault(t, err, ats.Conflict)

		who.Grant = access.Grant{Role: record.Operator} // moved to another group
		second, err := b.Admit(ctx, who, visit)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Session(ctx, first.Token, idle)
		wantFault(t, err, ats.Denied)
		if a, err := b.Session(ctx, second.Token, idle); err != nil || a.Role != record.Operator || a.Company != "" {
			t.Errorf("got %+v (%v)", a, err)
		}
		if users, err := b.Users(ctx); err != nil || len(users) != 1 || users[0].Provider != issuer {
			t.Errorf("got %+v (%v)", users, err)
		}
		other := who
		other.Subject = "s-2" // another person who got the address
		_, err = b.Admit(ctx, other, visit)
		wantFault(t, err, ats.Conflict)
		if err := b.DisableUser(ctx, operator, "ken@acme.example.jp", "left"); err != nil {
			t.Fatal(err)
		}
		_, err = b.Admit(ctx, who, visit)
		wantFault(t, err, ats.Denied)
	},
	"an account with a password moves to the provider only on purpose": func(t *testing.T, b *bench) {
		b.user(t, record.Admin)
		ctx := t.Context()
		e := b.enter(t, visit)
		who := record.Identity{Issuer: issuer, Subject: "s-1", Name: "hana", Grant: access.Grant{Role: record.Operator}}
		_, err := b.Admit(ctx, who, visit)
		wantFault(t, err, ats.Conflict)
		if err := b.LinkUser(ctx, operator, "hana", issuer, "one login for all"); err != nil {
			t.Fatal(err)
		}
		_, err = b.Session(ctx, e.Token, idle)
		wantFault(t, err, ats.Denied)
		_, err = b.Login(ctx, "hana", password, visit)
		wantFault(t, err, ats.Denied)
		if _, err := b.Admit(ctx, who, visit); err != nil {
			t.Fatal(err)
		}
		who.Subject = "s-2"
		_, err = b.Admit(ctx, who, visit)
		wantFault(t, err, ats.Conflict)
	},
	"a token is never more than its user": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		for role, want := range map[record.Role]record.Actor{
			"":              {Name: "token:hana/ci", Role: record.Operator, Scopes: "read write reveal"},
			record.Viewer:   {Name: "token:hana/ci", Role: record.Viewer, Scopes: "read"},
			record.Operator: {Name: "token:hana/ci", Role: record.Operator, Scopes: "read write reveal"},
		} {
			token, err := b.AddToken(t.Context(), operator, "hana", "ci", role)
			if err != nil {
				t.Fatal(err)
			}
			if a, err := b.Token(t.Context(), token); err != nil || a != want {
				t.Errorf("%q: got %+v (%v), want %+v", role, a, err, want)
			}
			b.wantNowhere(t, token)
		}
		_, err := b.AddToken(t.Context(), operator, "hana", "ci", record.Admin)
		wantFault(t, err, ats.Denied)
		_, err = b.AddToken(t.Context(), operator, "hana", "ci", "king")
		wantFault(t, err, ats.Denied)
		_, err = b.AddToken(t.Context(), operator, "nobody", "ci", record.Viewer)
		wantFault(t, err, ats.NotFound)
		_, err = b.AddToken(t.Context(), operator, "hana", " ", record.Viewer)
		wantFault(t, err, ats.Invalid)
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
	"a token has scopes, one company, an end and a last day": func(t *testing.T, b *bench) {
		b.user(t, record.Operator)
		ctx := t.Context()
		make := func(k record.Token) string {
			t.Helper()
			k.User, k.Name = "hana", "ci"
			token, err := b.MakeToken(ctx, operator, k)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		token := make(record.Token{Company: "acme", Scopes: "read,reveal", ExpiresAt: b.clock.Now().Add(24 * time.Hour)})
		if a, err := b.Token(ctx, token); err != nil || a != (record.Actor{Name: "token:hana/ci", Role: record.Operator, Company: "acme", Scopes: "read reveal"}) {
			t.Errorf("got %+v (%v)", a, err)
		}
		for name, k := range map[string]record.Token{
			"a scope that the role has no use for": {Scopes: "admin"}, "an unknown scope": {Scopes: "everything"}, "an end in the past": {ExpiresAt: b.clock.Now()}, "a recruiter's without a company": {Role: record.Recruiter},
		} {
			k.User, k.Name = "hana", "ci"
			if _, err := b.MakeToken(ctx, operator, k); ats.FaultOf(err) != ats.Invalid {
				t.Errorf("%s: got %v", name, err)
			}
		}
		kept, err := b.Tokens(ctx, "hana")
		if err != nil || len(kept) != 1 || kept[0].UsedOn != b.clock.Now().UTC().Format(time.DateOnly) {
			t.Fatalf("got %+v (%v)", kept, err)
		}
		b.clock.Pass(24 * time.Hour)
		_, err = b.Token(ctx, token)
		wantFault(t, err, ats.Denied)

		token = make(record.Token{})
		kept, err = b.Tokens(ctx, "")
		if err != nil || len(kept) != 2 {
			t.Fatalf("got %+v (%v)", kept, err)
		}
		n := b.count(t, `SELECT count(*) FROM audit`)
		wantFault(t, b.RevokeToken(ctx, operator, kept[0].ID, "ryo", "leaked"), ats.NotFound)
		wantFault(t, b.RevokeToken(ctx, operator, kept[0].ID, "", " "), ats.Invalid)
		if err := b.RevokeToken(ctx, operator, kept[0].ID, "hana", "leaked"); err != nil {
			t.Fatal(err)
		}
		wantFault(t, b.RevokeToken(ctx, operator, kept[0].ID, "", "leaked"), ats.Conflict)
		_, err = b.Token(ctx, token)
		wantFault(t, err, ats.Denied)
		if got, want := b.noted(t, n), []string{"user:hana|revoke token|user|hana||leaked"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	},
	"a recruiter's token stays with the company": func(t *testing.T, b *bench) {
		ctx := t.Context()
		if _, err := b.SaveUser(ctx, operator, record.User{Name: "ken", Role: record.Recruiter, Company: "acme"}, password); err != nil {
			t.Fatal(err)
		}
		_, err := b.MakeToken(ctx, operator, record.Token{User: "ken", Name: "ci", Company: "globex"})
		wantFault(t, err, ats.Denied)
		token, err := b.MakeToken(ctx, operator, record.Token{User: "ken", Name: "ci"})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := b.Token(ctx, token); err != nil || a.Company != "acme" || a.Role != record.Recruiter {
			t.Errorf("got %+v (%v)", a, err)
		}
		if err := b.ChangeRole(ctx, operator, "ken", record.Recruiter, "globex", "moved"); err != nil {
			t.Fatal(err)
		}
		if a, err := b.Token(ctx, token); err != nil || a.Company != "globex" {
			t.Errorf("after the recruiter moved: got %+v (%v)", a, err)
		}
	},
	"a browser is known by its user only": func(t *testing.T, b *bench) {
		d := b.Device("hana")
		for name, c := range map[string]struct {
			user, device string
			want         bool
		}{
			"its own": {"hana", d, true}, "another's": {"ryo", d, false}, "nothing": {"hana", "", false}, "a guess": {"hana", "GUESS.GUESS", false}, "a changed one": {"hana", "x" + d, false},
		} {
			if got := b.Knows(c.user, c.device); got != c.want {
				t.Errorf("%s: got %v", name, got)
			}
		}
	},
}
