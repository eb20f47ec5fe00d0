package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/connectors/all/alltest"
	"github.com/career-relay/connector/connectors/lever/levertest"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
)

func demoCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use: "demo", Short: "Play the whole path on this machine: signed webhooks, mails, consent, hand-over, credit",
		Long: `Start everything in one process with two example companies and a recipient that
only exists here. A third company has a connection to every system that is
understood: signed samples go through the public route, systems that are polled
are swept in a stand-in of their API, and an exported file of each of the others
is imported. The mails stay in the built-in mailbox; those of imports wait for
their release. No network is used, nothing reaches anybody.`,
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		d := &demo{settings: s, out: cmd.OutOrStdout(), errOut: cmd.ErrOrStderr()}
		return d.run(cmd.Context())
	}
	return c
}

// A demo is a server whose outside world is in the same process.
type demo struct {
	*settings
	out, errOut io.Writer
	server      server
	world       *alltest.World // where the APIs of the systems answer
}

// demoSecrets are the secrets of the example companies' demo files, beside
// which they are kept. They open nothing but this process.
var demoSecrets = map[string]string{ //nolint:gosec // see above
	"acme-greenhouse-secret": "demo-greenhouse-secret", "acme-sheet-secret": "demo-sheet-secret",
	"globex-lever-token": "demo-lever-token", "globex-lever-key": "demo-lever-key", "globex-campus-secret": "demo-campus-secret",
	"doors-secret": "demo:ZXZlcnktZG9vci1oYXMtYS1zZWNyZXQ", "doors-key": "demo-doors-key",
	"network-secret": "whsec_ZGVtby1uZXR3b3JrLXNlY3JldC1mb3ItdGhpcy1wcm9jZXNz",
}

func (d *demo) run(ctx context.Context) error {
	if err := d.prepare(ctx); err != nil {
		return err
	}
	recipient := relay.NewSimulator([]string{demoSecrets["network-secret"]}, stamp)
	network, err := d.neighbour(ctx, recipient)
	if err != nil {
		return err
	}
	vendor, err := levertest.New(demoSecrets["globex-lever-key"], stamp)
	if err != nil {
		return err
	}
	lever, err := d.neighbour(ctx, vendor)
	if err != nil {
		return err
	}
	places := map[string]string{"network-url": network + "/referrals", "globex-lever-url": lever + "/v1"}
	if err := d.keep(demoSecrets, places); err != nil {
		return ats.Errorf(ats.Invalid, "DATA: %w", err)
	}
	if d.world, err = alltest.New(demoSecrets["doors-key"], stamp); err != nil {
		return err
	}
	d.server.client = relay.NewHTTPClient(true)
	d.world.Beyond, d.server.client.Transport = d.server.client.Transport, d.world
	return d.server.run(ctx, func(ctx context.Context) error { return d.play(ctx, network) })
}

// prepare chooses addresses and lays the companies' files out, where they can
// be read and changed while the demo runs.
func (d *demo) prepare(ctx context.Context) error {
	d.configs = filepath.Join(d.data, "demo-configs")
	if err := layOut(configs.Demo(), d.configs); err != nil {
		return ats.Errorf(ats.Invalid, "DATA: %w", err)
	}
	if err := d.takeAddress(ctx, &d.listen, &d.server.public); err != nil {
		return err
	}
	if err := d.takeAddress(ctx, &d.opsListen, &d.server.ops); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	if d.logFormat == "" && d.logLevel == "info" {
		d.logLevel = "warn" // the demo speaks for itself
	}
	d.server.settings, d.server.log, d.server.migrate = d.settings, d.logger(d.errOut), true
	if host, _, err := net.SplitHostPort(d.server.ops.Addr().String()); err == nil && net.ParseIP(host).IsLoopback() {
		d.server.demoUser = record.Actor{Name: "user:demo", Role: record.Admin}
	}
	return nil
}

// takeAddress listens on an address, or on any free port beside it when another
// program has it.
func (d *demo) takeAddress(ctx context.Context, address *string, l *net.Listener) error {
	err := listen(ctx, *address, l)
	if errors.Is(err, syscall.EADDRINUSE) {
		host, _, _ := net.SplitHostPort(*address)
		taken := *address
		if err = listen(ctx, net.JoinHostPort(host, "0"), l); err == nil {
			_, _ = fmt.Fprintf(d.out, "%s is taken by another program; using %s\n", taken, (*l).Addr())
		}
	}
	if err != nil {
		return err
	}
	*address = (*l).Addr().String()
	return nil
}

// layOut writes the files of a folder that are not there yet.
func layOut(from fs.FS, to string) error {
	return fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		target := filepath.Join(to, filepath.FromSlash(path))
		if err != nil || d.IsDir() {
			return errors.Join(err, os.MkdirAll(target, 0o700))
		}
		text, err := fs.ReadFile(from, path)
		if err != nil {
			return err
		}
		if _, err := os.Stat(target); err == nil {
			return nil
		}
		return os.WriteFile(target, text, 0o600)
	})
}

// keep writes what the companies' files refer to, so that other commands read
// the same.
func (d *demo) keep(all ...map[string]string) error {
	folder := filepath.Join(d.configs, "secrets")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, values := range all {
		for name, value := range values {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(value+"\n"), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// neighbour answers on a loopback port in the name of somebody outside.
func (d *demo) neighbour(ctx context.Context, h http.Handler) (address string, err error) {
	var l net.Listener
	if err := listen(ctx, "127.0.0.1:0", &l); err != nil {
		return "", err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: readHeader}
	go func() { _ = s.Serve(l) }()
	context.AfterFunc(ctx, func() { _ = s.Close() })
	return "http://" + l.Addr().String(), nil
}

const (
	// storyCompany is where the printed candidate page is.
	storyCompany = "acme"
	// everyDoor is the company with a connection to every system. The other two
	// are the story; of this one, one delivery of each is enough.
	everyDoor = "doors"
)

// play sends the samples and prints where to look.
func (d *demo) play(ctx context.Context, network string) error {
	doors, err := d.doors(ctx) // first, so that the story's mails are the newest
	if err != nil {
		return err
	}
	sent, err := d.samples(ctx)
	if err != nil {
		return err
	}
	link, err := d.firstLink(ctx)
	if err != nil {
		return err
	}
	console := "http://" + d.server.ops.Addr().String()
	_, _ = fmt.Fprintf(d.out, `
%d signed webhooks played through %s
%d more to %s, which has every connection; %d systems polled, %d files imported

  mailbox         %s/mailbox
  console         %s/
  candidate page  %s
  recipient       %s/   (simulated)

Open the candidate page, agree, then confirm with the link in the next mail: the
referral arrives at the recipient and the company's account counts it. Turn one
more candidate down, in another terminal:

  %s simulate webhook acme greenhouse --new --configs %s --to %s

Stop with Ctrl-C; what was kept lies in %s.
`, sent, d.publicURL, doors.webhooks, everyDoor, doors.polls, doors.files, console, console, link, network, os.Args[0], d.configs, d.publicURL, d.data)
	return nil
}

// samples plays the rejections that the vendors' samples hold, the plain one
// first.
func (d *demo) samples(ctx context.Context) (int, error) {
	sent := 0
	for _, c := range d.server.tenants.Companies() {
		if c.ID == everyDoor {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
			n, err := d.connection(ctx, c.ID, name, c.Connections[name].Vendor)
			if sent += n; err != nil {
				return sent, err
			}
		}
	}
	return sent, nil
}

func (d *demo) connection(ctx context.Context, company, connection, vendor string) (int, error) {
	samples, err := all.Samples(vendor)
	if err != nil {
		return 0, err
	}
	slices.Sort(samples)
	sent, seen := 0, map[string]bool{}
	for _, sample := range samples {
		if !strings.HasPrefix(sample, "rejected") {
			continue
		}
		n, err := d.sample(ctx, company, connection, vendor, sample, seen)
		if sent += n; err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// sample plays one sample and counts it; those made to be unreadable and those
// of an application that was played before are left out.
func (d *demo) sample(ctx context.Context, company, connection, vendor, sample string, seen map[string]bool) (int, error) {
	conn, err := d.server.connector(company, connection)
	if err != nil {
		return 0, err
	}
	p, err := signedSample(conn, vendor, sample)
	if err != nil {
		return 0, err
	}
	events, err := conn.Decode(p)
	if err != nil || len(events) == 0 || seen[events[0].Application] {
		return 0, nil //nolint:nilerr // it would be parked, which is not what the demo shows
	}
	seen[events[0].Application] = true
	if p, err = redelivered(conn, p); err != nil {
		return 0, err
	}
	status, err := post(ctx, d.publicURL+"/hooks/"+company+"/"+connection, p)
	if err == nil && status/100 != 2 {
		err = ats.Errorf(ats.Conflict, "%s/%s answered %d to sample %s", company, connection, status, sample)
	}
	return 1, err
}

// signedSample is a sample as its vendor would send it now.
func signedSample(conn connectors.Connector, vendor, sample string) (connectors.Payload, error) {
	p, err := all.Sample(vendor, sample, stamp())
	if err != nil {
		return p, err
	}
	signer, ok := conn.(connectors.Signer)
	if !ok {
		return p, ats.Errorf(ats.Invalid, "%s cannot be simulated: it signs nothing", vendor)
	}
	return signer.Sign(p)
}

// post sends a payload and returns the status of the answer.
func post(ctx context.Context, address string, p connectors.Payload) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(p.Body))
	if err != nil {
		return 0, ats.Errorf(ats.Invalid, "address: %w", err)
	}
	r.Header, r.URL.RawQuery = p.Header.Clone(), p.Query.Encode()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ats.Errorf(ats.Busy, "sending: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, resp.Body.Close()
}

var relayLink = regexp.MustCompile(`https?://\S+/r/[A-Z0-9]+`)

// firstLink waits for the first mail and returns the candidate's link in it.
func (d *demo) firstLink(ctx context.Context) (string, error) {
	for range 300 {
		mails, err := d.server.db.Mails(ctx, record.Filter{Company: storyCompany, Purpose: string(mail.ThankYou), State: string(record.MailSent)})
		if err != nil {
			return "", err
		}
		for _, m := range mails {
			_, letter, err := d.server.db.Letter(ctx, m.ID)
			if err != nil {
				return "", err
			}
			if link := relayLink.FindString(letter.Text); link != "" {
				return link, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return "", ats.Errorf(ats.Busy, "no mail with a link came out within thirty seconds; see the log above and careerrelay job list")
}
