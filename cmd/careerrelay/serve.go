package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/jobs"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/store"
	"github.com/career-relay/connector/web"
)

// Limits of the HTTP servers; those of bodies stand beside their handlers.
const (
	maxHeader     = 16 << 10
	readHeader    = 10 * time.Second
	readAll       = 30 * time.Second
	writeAll      = 60 * time.Second
	keepAlive     = 2 * time.Minute
	drainHTTP     = 20 * time.Second
	reloadEvery   = 5 * time.Second
	processesBoth = "" // of --only
	processWeb    = "web"
	processWork   = "work"
)

// A server is the whole graph of one process.
type server struct {
	*settings
	log     *slog.Logger
	only    string
	migrate bool
	// demoUser is signed in without a password; only the demo sets it.
	demoUser record.Actor
	// client reaches vendors and recipients. It refuses private addresses,
	// except in the demo, whose vendor and recipient are in this process.
	client *http.Client

	db      *store.Store
	tenants *configs.Tenants
	opener  *opener
	courier *jobs.Courier
	metrics *web.Metrics
	letters *cache[*mail.Templates]
	sender  *http.Client

	public, ops net.Listener
}

func serveCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "serve", Short: "Take webhooks, write mails, serve console and candidate pages",
		Long: `Serve with the settings of the environment. Without DATABASE_URL everything is kept
in the data folder; without REDIS_URL jobs travel inside this process. Several
processes may share one PostgreSQL and one Redis, each with --only=web or --only=work.`,
	}
	v := server{settings: s}
	c.Flags().StringVar(&v.only, "only", processesBoth, "web or work: only one half")
	migrate := c.Flags().Bool("migrate", false, "apply pending migrations first (always with SQLite)")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if !slices.Contains([]string{processesBoth, processWeb, processWork}, v.only) {
			return ats.Errorf(ats.Invalid, "--only: write web or work")
		}
		if v.only != processesBoth && s.databaseURL == "" {
			return ats.Errorf(ats.Invalid, "--only: needs DATABASE_URL; with SQLite one process does everything")
		}
		if v.only == processWork && s.redisURL == "" {
			return ats.Errorf(ats.Invalid, "--only=work: needs REDIS_URL, which the processes share")
		}
		if err := s.check(); err != nil {
			return err
		}
		v.log, v.migrate = s.logger(cmd.ErrOrStderr()), *migrate || s.databaseURL == ""
		v.client = relay.NewHTTPClient(false)
		return v.run(cmd.Context(), nil)
	}
	return c
}

// run opens everything, works until ctx ends and closes in reverse order.
// ready, if given, runs once requests are answered.
func (v *server) run(ctx context.Context, ready func(ctx context.Context) error) (err error) {
	flush, err := startTraces(ctx, v.otlp)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, flush()) }()
	if v.db, err = openStore(ctx, v.settings, v.migrate, v.log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.db.Close()) }()
	v.opener = newOpener(v.client, v.log, v.publicURL)
	v.opener.vault = v.db.Vault
	v.tenants, err = configs.Open(configs.Options{Dir: v.configs, Lookup: v.lookup, Now: stamp, Log: v.log, Validate: v.opener.check})
	if err != nil {
		return err
	}
	v.letters = newCache(readLetters)
	v.sender = mail.NewHTTPClient()
	if v.only != processWeb || v.redisURL != "" {
		if v.courier, err = jobs.OpenCourier(v.redisURL, v.log); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, v.courier.Close()) }()
	}
	v.metrics = web.NewMetrics(version)
	return v.work(ctx, ready)
}

// work runs the halves of the process side by side. When it ends, the doors
// close before the work does, so that what was let in is kept.
func (v *server) work(ctx context.Context, ready func(ctx context.Context) error) error {
	v.warn(ctx)
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	group, ctx := errgroup.WithContext(ctx)
	var halves errgroup.Group
	if v.only != processWeb {
		w := v.worker()
		halves.Go(func() error {
			err := w.Run(working)
			if err != nil && working.Err() == nil {
				return err
			}
			return nil
		})
	}
	group.Go(func() error {
		v.tenants.Watch(ctx, reloadEvery, func(changed []string) {
			v.log.InfoContext(ctx, "configuration applied", "companies", changed, "generation", v.tenants.Generation())
		})
		return nil
	})
	group.Go(func() error { return v.doors(ctx) })
	if ready != nil {
		group.Go(func() error { return ready(ctx) })
	}
	err := group.Wait()
	stopWork()
	return errors.Join(err, halves.Wait())
}

// doors answers HTTP until ctx ends.
func (v *server) doors(ctx context.Context) error {
	deps := v.deps()
	group, ctx := errgroup.WithContext(ctx)
	if v.only != processWork {
		group.Go(func() error { return v.answer(ctx, "public", v.listen, &v.public, web.Public(deps)) })
	}
	group.Go(func() error { return v.answer(ctx, "operations", v.opsListen, &v.ops, web.Ops(deps)) })
	return group.Wait()
}

// listen opens an address, unless that was done before.
func listen(ctx context.Context, address string, l *net.Listener) error {
	if *l != nil {
		return nil
	}
	var err error
	*l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return ats.Errorf(ats.Invalid, "listening: %w", err)
	}
	return nil
}

func (v *server) answer(ctx context.Context, name, address string, l *net.Listener, h http.Handler) error {
	if err := listen(ctx, address, l); err != nil {
		return err
	}
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeader, ReadTimeout: readAll, WriteTimeout: writeAll, IdleTimeout: keepAlive, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(v.log.Handler(), slog.LevelDebug),
	}
	v.log.InfoContext(ctx, "listening", "door", name, "address", (*l).Addr().String())
	closed := make(chan error, 1)
	go func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainHTTP)
		defer cancel()
		closed <- s.Shutdown(drain)
	}()
	if err := s.Serve(*l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("answering on %s: %w", address, err)
	}
	return <-closed
}

func (v *server) worker() *jobs.Worker {
	host, _ := os.Hostname()
	return &jobs.Worker{
		Store: v.db, Courier: v.courier, Tenants: v.tenants, Open: v.connector, Transport: v.transport, Letters: v.letters.get,
		Post: v.post, Certificate: certificateOf(v.publicURL),
		Terms: terms(v.tenants, v.letters), Relay: &relay.Client{HTTP: v.client, Now: v.db.Now}, PublicURL: v.publicURL, Name: host + ":" + strconv.Itoa(os.Getpid()),
		Now: v.db.Now, Log: v.log, Meter: v.metrics,
	}
}

func (v *server) deps() web.Deps {
	return web.Deps{
		Now: v.db.Now, Log: v.log, Tenants: v.tenants, Open: v.connector, Inbox: v.db, People: v.db, Desk: v.db, Files: v.db, Accounts: v.db,
		Clerk: v.clerk(), Terms: terms(v.tenants, v.letters),
		Letters: v.letters.get, Ready: v.problems, PublicURL: v.publicURL, OpsToken: ats.Secret(v.opsToken), Version: version,
		Metrics: v.metrics, DemoUser: v.demoUser,
	}
}

// clerk does for operators what the database cannot do alone.
func (v *server) clerk() *jobs.Clerk {
	return &jobs.Clerk{
		Store: v.db, Tenants: v.tenants, Open: v.connector, Letters: v.letters.get, Transport: v.transport, PublicURL: v.publicURL, Now: v.db.Now,
	}
}

// connector returns the connector of a connection.
func (v *server) connector(company, connection string) (connectors.Connector, error) {
	c, err := v.tenants.Company(company)
	if err != nil {
		return nil, err
	}
	return v.opener.get(c, connection)
}

// transport returns how a company's mails leave.
func (v *server) transport(c *configs.Company) (jobs.Transport, error) {
	switch c.Mail.Transport {
	case "mailbox":
		return jobs.Transport{Transport: mail.Mailbox{}, Name: "mailbox"}, nil
	case "sendgrid":
		return jobs.Transport{Transport: mail.SendGrid{Key: c.Mail.APIKey, BaseURL: v.sendGridBase, HTTP: v.sender}, Name: "sendgrid"}, nil
	}
	return jobs.Transport{}, ats.Errorf(ats.Invalid, "mail.transport: %q is not known", c.Mail.Transport)
}

// problems says what is not as it should be.
func (v *server) problems(ctx context.Context) []web.Problem {
	var out []web.Problem
	if err := v.db.Ping(ctx); err != nil {
		out = append(out, web.Problem{Name: "database", Text: err.Error(), Fatal: true})
	}
	if v.courier != nil {
		if err := v.courier.Ping(ctx); err != nil {
			out = append(out, web.Problem{Name: "redis", Text: "redis does not answer; webhooks are still taken", Fatal: v.only == processWork})
		}
	}
	for _, s := range append(v.tenants.Status(), v.tenants.SharedStatus()) {
		for _, e := range s.Errors {
			out = append(out, web.Problem{Name: "configuration", Text: e})
		}
	}
	return append(out, v.pretending()...)
}

// pretending lists live companies whose mails stay in the built-in mailbox.
func (v *server) pretending() []web.Problem {
	var out []web.Problem
	for _, c := range v.tenants.Companies() {
		if c.Sending.Mode == "live" && c.Mail.Transport == "mailbox" && v.demoUser.Name == "" {
			out = append(out, web.Problem{Name: "transport", Text: c.ID + " is live, but its mails stay in the built-in mailbox: nobody receives them"})
		}
	}
	return out
}

// warn says loudly at the start what an operator must know.
func (v *server) warn(ctx context.Context) {
	for _, p := range v.problems(ctx) {
		v.log.WarnContext(ctx, "attention", "about", p.Name, "text", p.Text)
	}
}
