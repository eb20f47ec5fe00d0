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
)

// openTenants loads the companies of the environment. Their connections are
// opened once, so that a mistake in one shows at once.
func openTenants(s *settings, log *slog.Logger) (*configs.Tenants, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	opener := newOpener(http.DefaultClient, log)
	return configs.Open(configs.Options{Dir: s.configs, Lookup: s.lookup, Now: stamp, Log: log, Validate: opener.check})
}

// An opener makes connectors from the companies' connections and keeps them as
// long as the company's file does not change.
type opener struct {
	factories map[string]connectors.Factory
	env       connectors.Env

	mu   sync.Mutex
	open map[*configs.Company]map[string]connectors.Connector
	// current says which version of a company's file the connectors are of.
	current map[string]*configs.Company
}

func newOpener(client *http.Client, log *slog.Logger) *opener {
	return &opener{
		factories: all.Factories(), env: connectors.Env{HTTP: client, Log: log, Now: stamp},
		open: map[*configs.Company]map[string]connectors.Connector{}, current: map[string]*configs.Company{},
	}
}

// make opens a connection of c.
func (o *opener) make(c *configs.Company, name string) (connectors.Connector, error) {
	conn, ok := c.Connections[name]
	if !ok {
		return nil, ats.Errorf(ats.NotFound, "%s has no connection %s", c.ID, name)
	}
	factory, ok := o.factories[conn.Vendor]
	if !ok {
		return nil, ats.Errorf(ats.Invalid, "vendor: %q is not known; see careerrelay vendor list", conn.Vendor)
	}
	return factory(o.env, conn.Decode)
}

// get returns the connector of a connection of c.
func (o *opener) get(c *configs.Company, name string) (connectors.Connector, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if conn, ok := o.open[c][name]; ok {
		return conn, nil
	}
	conn, err := o.make(c, name)
	if err != nil {
		return nil, err
	}
	if o.current[c.ID] != c {
		delete(o.open, o.current[c.ID])
		o.current[c.ID], o.open[c] = c, map[string]connectors.Connector{}
	}
	o.open[c][name] = conn
	return conn, nil
}

// check reports every connection of c that cannot be opened.
func (o *opener) check(c *configs.Company) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
		if _, err := o.make(c, name); err != nil {
			errs = append(errs, fmt.Errorf("connections.%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
