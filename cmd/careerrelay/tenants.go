package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

// openTenants loads the companies of the environment. Their connections and
// letters are opened once, so that a mistake in one shows at once.
func openTenants(s *settings, log *slog.Logger) (*configs.Tenants, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	opener := newOpener(http.DefaultClient, log, s.publicURL)
	return configs.Open(configs.Options{Dir: s.configs, Lookup: s.lookup, Now: stamp, Log: log, Validate: opener.check})
}

// A cache keeps what is made of a company as long as its file does not change.
type cache[T any] struct {
	make func(*configs.Company) (T, error)

	mu   sync.Mutex
	kept map[string]made[T] // by company
}

type made[T any] struct {
	of    *configs.Company // a new file makes a new company
	value T
}

func newCache[T any](from func(*configs.Company) (T, error)) *cache[T] {
	return &cache[T]{make: from, kept: map[string]made[T]{}}
}

func (k *cache[T]) get(c *configs.Company) (T, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if m, ok := k.kept[c.ID]; ok && m.of == c {
		return m.value, nil
	}
	value, err := k.make(c)
	if err == nil {
		k.kept[c.ID] = made[T]{of: c, value: value}
	}
	return value, err
}

// readLetters returns a company's letters.
func readLetters(c *configs.Company) (*mail.Templates, error) { return mail.Load(c.Templates) }

// An opener makes connectors from the companies' connections.
type opener struct {
	factories map[string]connectors.Factory
	env       connectors.Env
	base      string // of our public address
	// vault returns where the OAuth token of a connection is kept. Without a
	// database nobody calls a vendor.
	vault func(company, connection string) connectors.Vault
	open  *cache[map[string]connectors.Connector]
}

func newOpener(client *http.Client, log *slog.Logger, base string) *opener {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	o := &opener{factories: all.Factories(), env: connectors.Env{HTTP: client, Log: log, Now: stamp}, base: base}
	o.open = newCache(o.all)
	return o
}

// make opens a connection of c.
func (o *opener) make(c *configs.Company, name string) (connectors.Connector, error) {
	conn, ok := c.Connections[name]
	if !ok {
		return nil, ats.Errorf(ats.NotFound, "%s has no connection %s", c.ID, name)
	}
	env := o.env
	env.URL = o.base + "/hooks/" + c.ID + "/" + name
	if o.vault != nil {
		env.Vault = o.vault(c.ID, name)
	}
	if conn.Own != nil {
		vendor, factory, err := all.Folder(conn.Own)
		if err == nil && vendor != conn.Vendor {
			err = ats.Errorf(ats.Invalid, "connector: the folder describes %s, the connection says %s", vendor, conn.Vendor)
		}
		if err != nil {
			return nil, err
		}
		return factory(env, conn.Decode)
	}
	factory, ok := o.factories[conn.Vendor]
	if !ok {
		return nil, ats.Errorf(ats.Invalid, "vendor: %q is not known; see careerrelay vendor list", conn.Vendor)
	}
	return factory(env, conn.Decode)
}

// all opens the connections of c that can be opened.
func (o *opener) all(c *configs.Company) (map[string]connectors.Connector, error) {
	out := map[string]connectors.Connector{}
	for name := range c.Connections {
		if conn, err := o.make(c, name); err == nil {
			out[name] = conn
		}
	}
	return out, nil
}

// get returns the connector of a connection of c. What is in force was checked,
// so a connection that is missing is not configured.
func (o *opener) get(c *configs.Company, name string) (connectors.Connector, error) {
	open, err := o.open.get(c)
	if err != nil {
		return nil, err
	}
	if conn, ok := open[name]; ok {
		return conn, nil
	}
	return nil, ats.Errorf(ats.NotFound, "%s has no connection %s", c.ID, name)
}

// check reports every connection of c that cannot be opened, and letters that
// cannot be written.
func (o *opener) check(c *configs.Company) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
		if _, err := o.make(c, name); err != nil {
			errs = append(errs, fmt.Errorf("connections.%s: %w", name, err))
		}
	}
	if _, err := readLetters(c); err != nil {
		errs = append(errs, fmt.Errorf("mail.templates: %w", err))
	}
	return errors.Join(errs...)
}

// terms says what the companies' files and letters of now allow to be run again.
func terms(tenants *configs.Tenants, letters *cache[*mail.Templates]) record.Terms {
	return func(company string) (record.Term, bool) {
		c, err := tenants.Company(company)
		if err != nil {
			return record.Term{}, false
		}
		term := record.Term{MaxAge: c.Sending.MaxAge.Std()}
		if own, err := letters.get(c); err == nil {
			term.Letters = own.Versions()
		}
		return term, true
	}
}
