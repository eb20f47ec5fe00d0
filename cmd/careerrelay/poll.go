package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/jobs"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/store"
)

func vendorPoll(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "poll COMPANY CONNECTION", Short: "Ask a connection's vendor for news now", Args: cobra.ExactArgs(2),
		Long: `Ask the vendor of a connection that is polled for news, whether the next sweep is
due or not. What it tells is kept and worked on by the running server. The first
sweep is silent: all of it is history. With --dry-run the news are shown without
names and nothing is kept.`,
		Example: "  careerrelay vendor poll acme herp --dry-run",
	}
	dry := c.Flags().Bool("dry-run", false, "only show what would come")
	asJSON := jsonFlag(c)
	c.RunE = withStore(s, func(cmd *cobra.Command, args []string, db *store.Store) error {
		p := sweeper{settings: s, db: db, client: relay.NewHTTPClient(false), company: args[0], connection: args[1]}
		if *dry {
			return p.show(cmd.Context(), cmd.OutOrStdout(), *asJSON)
		}
		return p.sweep(cmd.Context(), cmd.OutOrStdout())
	})
	return c
}

// A sweeper asks one connection's vendor for news, by hand.
type sweeper struct {
	*settings
	db                  *store.Store
	client              *http.Client
	company, connection string
}

// worker is as much of one as a sweep needs.
func (p sweeper) worker() (*jobs.Worker, error) {
	log := slog.New(slog.DiscardHandler)
	tenants, err := openTenants(p.settings, log)
	if err != nil {
		return nil, err
	}
	opener := newOpener(p.client, log, p.publicURL)
	opener.vault = p.db.Vault
	open := func(company, connection string) (connectors.Connector, error) {
		c, err := tenants.Company(company)
		if err != nil {
			return nil, err
		}
		return opener.make(c, connection)
	}
	return &jobs.Worker{Store: p.db, Tenants: tenants, Open: open, Now: p.db.Now, Log: log, Meter: unmetered{}}, nil
}

// unmetered counts nothing: a command is gone before anybody could ask.
type unmetered struct{}

func (unmetered) Job(string, string, time.Duration) {}
func (unmetered) Mail(string, string)               {}

// sweep keeps what the vendor tells.
func (p sweeper) sweep(ctx context.Context, out io.Writer) error {
	w, err := p.worker()
	if err != nil {
		return err
	}
	done, err := w.Poll(ctx, p.company, p.connection)
	if ats.FaultOf(err) == ats.Duplicate {
		return ats.Errorf(ats.Busy, "a server sweeps %s/%s at this moment", p.company, p.connection)
	}
	if err != nil {
		return err
	}
	history := ""
	if done.First {
		history = "; it was the first sweep, so all of it is history"
	}
	_, err = fmt.Fprintf(out, "%d news, %d of them not known before%s\n", done.News, done.Kept, history)
	return err
}

// A newsView is one event of what would come, without the person.
type newsView struct {
	Application string    `json:"application"`
	State       ats.State `json:"state,omitempty"`
	Side        ats.Side  `json:"side,omitempty"`
	At          time.Time `json:"at,omitzero"`
	Note        string    `json:"note,omitempty"`
}

// show prints what the vendor would tell.
func (p sweeper) show(ctx context.Context, out io.Writer, asJSON bool) error {
	w, err := p.worker()
	if err != nil {
		return err
	}
	conn, err := w.Open(p.company, p.connection)
	if err != nil {
		return err
	}
	poller, ok := conn.(connectors.Poller)
	if !ok {
		return ats.Errorf(ats.Invalid, "%s/%s is not polled", p.company, p.connection)
	}
	at, err := p.db.Poll(ctx, p.company, p.connection)
	if err != nil {
		return err
	}
	news, err := everything(ctx, poller, at.Cursor)
	if err != nil {
		return err
	}
	var rows []newsView
	for _, n := range news {
		if at.First {
			n = n.AsHistory()
		}
		if n.Received.IsZero() {
			n.Received = w.Now()
		}
		rows = append(rows, viewNews(conn, n)...)
	}
	return printList(out, asJSON, rows, []column[newsView]{
		{"application", func(v newsView) string { return v.Application }},
		{"state", func(v newsView) string { return string(v.State) }},
		{"side", func(v newsView) string { return string(v.Side) }},
		{"at", func(v newsView) string { return clock(v.At) }},
		{"note", func(v newsView) string { return v.Note }},
	})
}

// everything asks until the sweep ends. It bounds what is held in memory.
func everything(ctx context.Context, poller connectors.Poller, cursor string) ([]connectors.Payload, error) {
	const most = 100_000
	pager, _ := poller.(connectors.Pager)
	var news []connectors.Payload
	for {
		more, next, err := poller.Poll(ctx, cursor)
		news = append(news, more...)
		if err != nil || pager == nil || !pager.More(next) || next == cursor || len(news) > most {
			return news, err
		}
		cursor = next
	}
}

// viewNews is what a payload means, or why it would be parked.
func viewNews(conn connectors.Connector, p connectors.Payload) []newsView {
	events, err := conn.Decode(p)
	switch {
	case err != nil:
		return []newsView{{Note: "would be parked: " + err.Error()}}
	case len(events) == 0:
		return []newsView{{Note: "ignored"}}
	}
	var out []newsView
	for _, e := range events {
		v := newsView{Application: e.Application, State: e.State, Side: e.Side, At: e.At}
		if e.History {
			v.Note = "history"
		}
		out = append(out, v)
	}
	return out
}
