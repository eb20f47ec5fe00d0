package main

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/all/alltest"
	"github.com/career-relay/connector/connectors/spec"
	"github.com/career-relay/connector/intake"
	"github.com/career-relay/connector/record"
)

// A played is how many deliveries came through each door.
type played struct{ webhooks, polls, files int }

// doors plays one delivery through each connection of the company that has them
// all.
func (d *demo) doors(ctx context.Context) (n played, err error) {
	c, err := d.server.tenants.Company(everyDoor)
	if err != nil {
		return n, err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
		vendor := c.Connections[name].Vendor
		s, err := spec.Shipped(vendor)
		if err != nil {
			return n, err
		}
		count := &n.webhooks
		switch {
		case s.Door == connectors.File:
			count, err = &n.files, d.importSample(ctx, c, name, vendor)
		case s.Door == connectors.Poll || s.Rings != "":
			count, err = &n.polls, d.pollSample(ctx, name, vendor)
		default:
			d.world.Reject(vendor)
			_, err = d.sample(ctx, c.ID, name, vendor, "rejected", map[string]bool{})
		}
		if err != nil {
			return n, err
		}
		*count++
	}
	return n, nil
}

// pollSample turns somebody down in a system that is asked for news: after a
// first sweep, since what it finds is the past.
func (d *demo) pollSample(ctx context.Context, connection, vendor string) error {
	if err := d.sweep(ctx, connection); err != nil {
		return err
	}
	d.world.Reject(vendor)
	return d.sweep(ctx, connection)
}

// sweep asks now, or after a sweep that is under way already.
func (d *demo) sweep(ctx context.Context, connection string) error {
	for {
		_, err := d.server.worker().Poll(ctx, everyDoor, connection)
		if ats.FaultOf(err) != ats.Duplicate {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// importSample takes an exported file in; its mail waits for its release.
func (d *demo) importSample(ctx context.Context, c *configs.Company, connection, vendor string) error {
	file, err := alltest.Export(vendor, stamp())
	if err != nil {
		return err
	}
	conn, err := d.server.connector(c.ID, connection)
	if err != nil {
		return err
	}
	tabular, ok := conn.(*spec.Tabular)
	if !ok {
		return ats.Errorf(ats.Conflict, "%s/%s imports no files", c.ID, connection)
	}
	in := &intake.Intake{Company: c, Connection: connection, Vendor: vendor, Conn: tabular, Store: d.server.db, Now: d.server.db.Now()}
	if err := in.Open(bytes.NewReader(file), ""); err != nil {
		return err
	}
	_, err = in.Keep(ctx, record.Actor{Name: "user:demo", Role: record.Operator}, "a file of the demonstration")
	return err
}
