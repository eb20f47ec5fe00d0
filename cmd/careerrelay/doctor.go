package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/jobs"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/sending"
	"github.com/career-relay/connector/store"
)

// A finding is one answer of the doctor.
type finding struct {
	About string `json:"about"`
	OK    bool   `json:"ok"`
	Text  string `json:"text"`
	// Cure says what to do.
	Cure  string    `json:"cure,omitempty"`
	fault ats.Fault // of what is wrong
}

func doctorCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong and say what to do",
		Long: "Checks settings, key, database, Redis, every company's file and connections, whether the vendors take the credentials and have sent anything, transports and the calendar. With --health it only asks the running process whether it is ready, as a container's health check does.",
	}
	asJSON := jsonFlag(c)
	health := c.Flags().Bool("health", false, "ask the running process at OPS_LISTEN whether it is ready")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *health {
			return askHealth(cmd.Context(), s)
		}
		found := examine(cmd.Context(), s)
		w := cmd.OutOrStdout()
		if *asJSON {
			if err := printJSON(w, found); err != nil {
				return err
			}
		} else {
			printFindings(w, found)
		}
		return diagnosis(found)
	}
	return c
}

func printFindings(w io.Writer, found []finding) {
	for _, f := range found {
		sign := "ok  "
		if !f.OK {
			sign = "!!  "
		}
		_, _ = fmt.Fprintf(w, "%s%-14s %s\n", sign, f.About, f.Text)
		if f.Cure != "" {
			_, _ = fmt.Fprintf(w, "    %-14s → %s\n", "", f.Cure)
		}
	}
}

// diagnosis turns what is wrong into the command's error: an outage weighs more
// than wrong input.
func diagnosis(found []finding) error {
	wrong := 0
	fault := ats.Invalid
	for _, f := range found {
		if f.OK {
			continue
		}
		wrong++
		if f.fault == ats.Busy {
			fault = ats.Busy
		}
	}
	if wrong == 0 {
		return nil
	}
	return ats.Errorf(fault, "%d things need attention", wrong)
}

// askHealth asks the running process.
func askHealth(ctx context.Context, s *settings) error {
	host, port, err := net.SplitHostPort(s.opsListen)
	if err != nil {
		return ats.Errorf(ats.Invalid, "OPS_LISTEN: %w", err)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return ats.Errorf(ats.Busy, "not ready: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return ats.Errorf(ats.Busy, "not ready: %s", resp.Status)
	}
	return nil
}

// examine makes every check; one that fails does not stop the others.
func examine(ctx context.Context, s *settings) []finding {
	found := []finding{examineSettings(s)}
	found = append(found, examineStore(ctx, s)...)
	found = append(found, examineRedis(ctx, s))
	found = append(found, examineCompanies(s)...)
	found = append(found, examineSecrets(ctx, s)...)
	found = append(found, examineConnections(ctx, s, relay.NewHTTPClient(false))...)
	return append(found, examineCalendar())
}

func wrong(about string, err error, cure string) finding {
	return finding{About: about, Text: err.Error(), Cure: cure, fault: ats.FaultOf(err)}
}

func examineSettings(s *settings) finding {
	if err := s.check(); err != nil {
		return wrong("settings", err, "correct the environment; careerrelay --help lists every variable")
	}
	return finding{About: "settings", OK: true, Text: "links in mails start with " + s.publicURL}
}

func examineStore(ctx context.Context, s *settings) []finding {
	db, err := openStore(ctx, s, s.databaseURL == "", slog.New(slog.DiscardHandler))
	if err != nil {
		return []finding{wrong("database", err, "")}
	}
	defer func() { _ = db.Close() }()
	found := []finding{{About: "database", OK: true, Text: db.Kind() + " answers, migrations are current, the key fits"}}
	if counts, err := db.Counts(ctx, ""); err == nil {
		found = append(found, examineCounts(counts)...)
	}
	brakes, err := db.Brakes(ctx, "", false)
	if err != nil {
		return append(found, wrong("brakes", err, ""))
	}
	for _, b := range brakes {
		if b.StopsMail() { // the other kind is told connection by connection
			found = append(found, finding{About: "brake", Text: b.Company + ": " + b.Kind + ": " + b.Cause, Cure: "docs/runbook.md says how to decide"})
		}
	}
	polls, err := db.Polls(ctx, "")
	if err != nil {
		return append(found, wrong("polling", err, ""))
	}
	for _, p := range polls {
		found = append(found, examinePoll(p))
	}
	found = append(found, examineSubscriptions(ctx, db)...)
	n, err := db.VerifyAudit(ctx)
	if err != nil {
		return append(found, wrong("audit log", err, "somebody changed the table; compare with a backup"))
	}
	return append(found, finding{About: "audit log", OK: true, Text: fmt.Sprintf("%d entries, unbroken", n)})
}

// examineSubscriptions looks at the webhooks that end unless they are renewed.
func examineSubscriptions(ctx context.Context, db *store.Store) []finding {
	rows, err := db.Subscriptions(ctx, "")
	if err != nil {
		return []finding{wrong("webhooks", err, "")}
	}
	var found []finding
	for _, s := range rows {
		f := finding{About: s.Company + "/" + s.Connection, OK: true, Text: "webhook ends on " + clock(s.EndsAt) + ", is renewed on " + clock(s.DueAt)}
		switch {
		case !s.EndsAt.After(db.Now()):
			f.OK, f.Text = false, "the webhook ended on "+clock(s.EndsAt)
		case s.Alarmed:
			f.OK, f.Text = false, "the webhook ends on "+clock(s.EndsAt)+" and is not renewed"
		}
		if s.Error != "" {
			f.Text += ": " + s.Error
		}
		if !f.OK {
			f.Cure = "see that a server runs, correct the cause, then careerrelay vendor subscribe " + s.Company + " " + s.Connection + " --reason '…'"
		}
		found = append(found, f)
	}
	return found
}

// examinePoll says how a connection that is asked for news is doing.
func examinePoll(p record.Poll) finding {
	swept := "the first sweep has not ended"
	if !p.SweptAt.IsZero() {
		swept = "swept " + clock(p.SweptAt)
	}
	f := finding{About: "polling", OK: p.Error == "", Text: fmt.Sprintf("%s/%s: %s, next %s", p.Company, p.Connection, swept, clock(p.DueAt))}
	if !f.OK {
		f.Text += fmt.Sprintf("; %d failures: %s; mails are not stopped by it", p.Failures, p.Error)
		f.Cure, f.fault = "repair the key or the vendor's access, then careerrelay vendor poll "+p.Company+" "+p.Connection, p.Fault
	}
	return f
}

func examineCounts(c record.Counts) []finding {
	var found []finding
	for _, q := range []struct {
		n           int
		about, text string
		cure        string
	}{
		{c.Jobs[string(record.JobDead)], "jobs", "dead", "careerrelay job list --state dead"},
		{c.Mails[string(record.MailUnclear)], "mails", "with an unclear outcome", "careerrelay mail list --state unclear"},
		{c.Mails["stopped"], "mails", "waiting for a person", "careerrelay mail list --state stopped"},
		{c.Deliveries[string(record.Parked)], "deliveries", "parked", "careerrelay delivery list --state parked"},
		{c.Deliveries[string(record.Quarantined)], "deliveries", "quarantined", "careerrelay delivery list --state quarantined"},
	} {
		if q.n > 0 {
			found = append(found, finding{About: q.about, Text: fmt.Sprintf("%d %s", q.n, q.text), Cure: q.cure})
		}
	}
	return found
}

func examineRedis(ctx context.Context, s *settings) finding {
	if s.redisURL == "" {
		return finding{About: "redis", OK: true, Text: "runs in the process"}
	}
	courier, err := jobs.OpenCourier(s.redisURL, slog.New(slog.DiscardHandler))
	if err != nil {
		return wrong("redis", err, "correct REDIS_URL")
	}
	defer func() { _ = courier.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if err := courier.Ping(ctx); err != nil {
		return wrong("redis", err, "bring it back; nothing is lost meanwhile")
	}
	return finding{About: "redis", OK: true, Text: "answers"}
}

func examineCompanies(s *settings) []finding {
	tenants, err := openTenants(s, nil)
	if err != nil {
		return []finding{wrong("configuration", err, "careerrelay config init NAME writes a first file")}
	}
	var found []finding
	for _, st := range append(tenants.Status(), tenants.SharedStatus()) {
		for _, e := range st.Errors {
			found = append(found, finding{About: st.Company, Text: e, Cure: "correct the file; it is read again while running", fault: ats.Invalid})
		}
	}
	for _, c := range tenants.Companies() {
		found = append(found, examineCompany(c))
		found = append(found, examineAddresses(s, c)...)
	}
	return found
}

// examineAddresses shows the addresses of webhooks that are not the usual ones:
// without what is behind them nothing is let in.
func examineAddresses(s *settings, c *configs.Company) []finding {
	opener := newOpener(http.DefaultClient, nil, s.publicURL)
	var found []finding
	for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
		conn, err := opener.make(c, name)
		if err != nil {
			continue // the company's status says why
		}
		if a, ok := conn.(connectors.Addresser); ok {
			found = append(found, finding{About: c.ID + "/" + name, OK: true, Text: "the webhook's address is " + a.Address(s.publicURL+"/hooks/"+c.ID+"/"+name)})
		}
	}
	return found
}

func examineCompany(c *configs.Company) finding {
	f := finding{About: c.ID, OK: true, Text: fmt.Sprintf("%d connections, %s, mails by %s", len(c.Connections), c.Sending.Mode, c.Mail.Transport)}
	if c.Sending.Mode == sending.Live && c.Mail.Transport == "mailbox" {
		f.OK, f.Text, f.Cure = false, "live, but its mails stay in the built-in mailbox: nobody receives them", "set mail.transport: sendgrid and a key, or sending.mode: dry_run"
	}
	return f
}

func examineCalendar() finding {
	last := sending.LastYear()
	if last <= stamp().Year() {
		return finding{About: "calendar", Text: fmt.Sprintf("the table of holidays ends in %d; later ones are computed from the act", last), Cure: "update to a newer version"}
	}
	return finding{About: "calendar", OK: true, Text: fmt.Sprintf("holidays are known to the end of %d", last)}
}

// examineSecrets says when each of several secrets of a connection fitted last, so
// that it shows when an old one can go.
func examineSecrets(ctx context.Context, s *settings) []finding {
	tenants, err := openTenants(s, nil)
	if err != nil {
		return nil // was found before
	}
	db, err := openStore(ctx, s, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil // was found before
	}
	defer func() { _ = db.Close() }()
	uses, err := db.SecretUses(ctx, "")
	if err != nil {
		return []finding{wrong("secrets", err, "")}
	}
	last := map[string]time.Time{}
	for _, u := range uses {
		last[u.Company+"/"+u.Connection+" "+u.Secret] = u.LastAt
	}
	var found []finding
	for _, c := range tenants.Companies() {
		for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
			names := c.Connections[name].SecretNames()
			if len(names) < 2 {
				continue
			}
			for _, secret := range names {
				text := c.ID + "/" + name + ": " + secret + " was never used"
				if at := last[c.ID+"/"+name+" "+secret]; !at.IsZero() {
					text = c.ID + "/" + name + ": " + secret + " was last used " + clock(at)
				}
				found = append(found, finding{About: "secrets", OK: true, Text: text})
			}
		}
	}
	return found
}
