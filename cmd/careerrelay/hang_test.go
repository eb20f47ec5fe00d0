package main

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/lever/levertest"
	"github.com/career-relay/connector/jobs/jobstest"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/store/storetest"
)

// A gate stands before a vendor's API. While it is shut, callers hang.
type gate struct {
	api http.Handler

	mu      sync.Mutex
	shut    chan struct{} // nil when it is open
	hanging int
	most    int
	path    string // shuts the gate when it is asked for a second time
	asked   int
}

func (g *gate) trip(path string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.path, g.asked = path, 0
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
	if shut {
		g.shut = make(chan struct{})
	}
}

func (g *gate) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hanging
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	if g.path != "" && strings.HasSuffix(r.URL.Path, g.path) {
		if g.asked++; g.asked == 2 {
			g.shut = make(chan struct{})
		}
	}
	shut := g.shut
	if shut != nil {
		g.hanging++
		g.most = max(g.most, g.hanging)
	}
	g.mu.Unlock()
	if shut != nil {
		select {
		case <-shut:
		case <-r.Context().Done():
		}
		g.mu.Lock()
		g.hanging--
		g.mu.Unlock()
	}
	if strings.Contains(r.URL.Path, "ghost") {
		http.Error(w, `{"code":"ResourceNotFound"}`, http.StatusNotFound)
		return
	}
	g.api.ServeHTTP(w, r)
}

// The ATS of one company takes calls and does not answer, once while candidates
// are asked for and once at the second of sending. Another company's mails leave
// meanwhile, and the first company's do when its ATS is back.
func TestAnATSThatHangsHoldsUpNobodyElse(t *testing.T) {
	test := func(t *testing.T, redis *jobstest.Server, env ...string) {
		g := &gate{}
		h := openHouse(t, redis, append(env, "LEVER_URL", serveFake(t, g)+"/v1")...)
		g.api = h.lever
		t.Cleanup(func() { g.set(false) })
		company := strings.Replace(walkCompany, "EVENT_KEY", h.sendGrid.PublicKey(), 1)
		write(t, filepath.Join(h.server.configs, "beta.yaml"), strings.Replace(company, "company: acme", "company: beta", 1))
		h.until("beta is in force", func() bool { _, err := h.server.connector("beta", "sheet"); return err == nil })
		ours := 0 // mails of beta
		mailed := func(what string) {
			t.Helper()
			for range 5 {
				ours++
				h.sheet("beta", fmt.Sprintf(`{"application_id":"B-%d","name":"伊藤 湊","email":"b%d@example.jp","outcome":"不採用","ended_at":"2026-10-02"}`, ours, ours))
			}
			h.until("beta's mails left "+what, func() bool { return len(sent(h, "beta")) == ours })
		}

		g.set(true)
		const many = 150
		for i := range many {
			id := fmt.Sprintf("ghost-%d", i)
			if i == 0 {
				id = levertest.Rejected
			}
			if status := h.archived("acme", id); status != http.StatusOK {
				t.Fatalf("the door answered %d", status)
			}
		}
		h.until("acme's places are taken", func() bool { return g.waiting() > 0 && flying(h, "acme") == places })
		mailed("while acme's candidates are asked for")
		if len(sent(h, "acme")) != 0 {
			t.Error("acme's mail left without its ATS")
		}
		g.set(false)
		h.rest("acme")
		h.until("acme's mail left", func() bool { return len(sent(h, "acme")) == 1 })
		parked, err := h.server.db.Deliveries(t.Context(), record.Filter{Company: "acme", State: "parked", Limit: record.MaxPage})
		if err != nil || len(parked) != many-1 {
			t.Errorf("%d deliveries are parked (%v), want %d: one each for whom Lever does not know", len(parked), err, many-1)
		}
		h.lever.Add(levertest.Opportunity{ID: "second", Name: "佐藤 美咲", Emails: []string{"second@example.jp"}})
		h.lever.Archive("second", levertest.UnderQualified, stamp())
		g.trip("/opportunities/second") // the second call for it asks before the mail leaves
		h.archived("acme", "second")
		h.until("the state is asked for", func() bool { return g.waiting() == 1 })
		mailed("while acme's ATS is asked whether the mail may leave")
		if m := h.mails("acme"); len(m) != 2 || m[0].State != record.MailHeld || len(sent(h, "acme")) != 1 {
			t.Errorf("acme's second mail did not wait for the answer: %+v", m)
		}
		g.set(false)
		h.until("acme's second mail left", func() bool { return len(sent(h, "acme")) == 2 })
		if n := h.sendGrid.Count(); n != 2+ours {
			t.Errorf("%d mails left, want %d", n, 2+ours)
		}
	}
	t.Run("SQLite and Redis in the process", func(t *testing.T) { test(t, nil) })
	t.Run("PostgreSQL and Redis", func(t *testing.T) {
		if testing.Short() {
			t.Skip("short: needs servers")
		}
		redis := jobstest.Redis(t)
		test(t, redis, "DATABASE_URL", storetest.Postgres(t), "REDIS_URL", redis.URL())
	})
}

var leverToken = regexp.MustCompile(`"token":"[0-9a-f]+"`)

// archived sends Lever's webhook for an opportunity that was archived.
func (h *house) archived(company, opportunity string) int {
	h.t.Helper()
	return h.hook(company, "lever", "lever", func(p *connectors.Payload) {
		conn, err := h.server.connector(company, "lever")
		if err != nil {
			h.t.Fatal(err)
		}
		p.Body = bytes.ReplaceAll(p.Body, []byte(levertest.Rejected), []byte(opportunity))
		p.Body = leverToken.ReplaceAll(p.Body, fmt.Appendf(nil, `"token":"%x"`, opportunity)) // by it Lever tells deliveries apart
		if *p, err = conn.(connectors.Signer).Sign(*p); err != nil {
			h.t.Fatal(err)
		}
	})
}

// places is how many jobs of one company may be under way at once.
const places = 64

// flying counts the jobs of a company that are under way.
func flying(h *house, company string) int {
	h.t.Helper()
	n := 0
	for _, state := range []record.JobState{record.JobDispatched, record.JobRunning} {
		jobs, err := h.server.db.Jobs(h.t.Context(), record.Filter{Company: company, State: string(state), Limit: record.MaxPage})
		if err != nil {
			h.t.Fatal(err)
		}
		n += len(jobs)
	}
	return n
}

func sent(h *house, company string) []record.Mail {
	h.t.Helper()
	mails, err := h.server.db.Mails(h.t.Context(), record.Filter{Company: company, State: string(record.MailSent), Limit: record.MaxPage})
	if err != nil {
		h.t.Fatal(err)
	}
	return mails
}
