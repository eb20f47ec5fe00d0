package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/record"
)

// Subscriptions keeps the webhooks that their vendors end.
type Subscriptions interface {
	Subscriptions(ctx context.Context, company string) ([]record.Subscription, error)
	KeepSubscription(ctx context.Context, s record.Subscription) error
	DropSubscription(ctx context.Context, company, connection string) error
}

const (
	// renewPatience bounds one renewal.
	renewPatience = time.Minute
	// renewNear is how near its end a webhook that could not be renewed is an
	// alarm, however few failures there were.
	renewNear = 4 * time.Hour
)

// renew renews the webhooks of which half the time is gone. A connection that is
// no longer configured is forgotten, a paused one waits.
func (w *Worker) renew(ctx context.Context) error {
	rows, err := w.Store.Subscriptions(ctx, "")
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range rows {
		c, err := w.Tenants.Company(s.Company)
		if err != nil {
			continue // its file may be broken at this moment
		}
		settings, there := c.Connections[s.Connection]
		switch {
		case !there || settings.Vendor != s.Vendor:
			errs = append(errs, w.Store.DropSubscription(ctx, s.Company, s.Connection))
		case !settings.Paused && !s.DueAt.After(w.Now()):
			errs = append(errs, w.renewOne(ctx, c, s))
		}
	}
	return errors.Join(errs...)
}

// renewOne renews one webhook and keeps how that went.
func (w *Worker) renewOne(ctx context.Context, c *configs.Company, s record.Subscription) error {
	made, err := w.subscribe(ctx, c, s)
	if err != nil && ctx.Err() != nil { // our own shutdown is no failure of the vendor's
		return ctx.Err()
	}
	if err == nil && made.Until.IsZero() { // it goes on for ever now
		return w.Store.DropSubscription(ctx, s.Company, s.Connection)
	}
	now := w.Now()
	outcome, level := "done", slog.LevelInfo
	if err == nil {
		s = Renewed(s, made, now)
	} else {
		s, outcome, level = unrenewed(s, err, now), "failed", slog.LevelWarn
	}
	w.Log.Log(ctx, level, "webhook renewal", "outcome", outcome, "company", s.Company, "connection", s.Connection, "vendor", s.Vendor, "ends", s.EndsAt, "failures", s.Failures, "err", s.Error, "next", s.DueAt)
	return w.Store.KeepSubscription(context.WithoutCancel(ctx), s)
}

// subscribe calls the vendor once. A panic in it is an error of this connection
// only.
func (w *Worker) subscribe(ctx context.Context, c *configs.Company, s record.Subscription) (made connectors.Subscription, err error) {
	defer func() {
		if r := recover(); r != nil {
			w.Log.ErrorContext(ctx, "panic", "company", s.Company, "connection", s.Connection, "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic while renewing: %T", r)
		}
	}()
	conn, err := w.Open(s.Company, s.Connection)
	if err != nil {
		return made, err
	}
	vendor, ok := conn.(connectors.Subscriber)
	if !ok {
		return made, ats.Errorf(ats.Invalid, "%s is no longer subscribed by an API call; take the webhook away with careerrelay vendor subscribe --remove", s.Vendor)
	}
	ctx, cancel := context.WithTimeout(ctx, renewPatience)
	defer cancel()
	made, err = vendor.Subscribe(ctx, w.PublicURL+"/hooks/"+c.ID+"/"+s.Connection)
	if err == nil && made.Secret != "" { // it must reach a person, and nothing else
		err = ats.Errorf(ats.Denied, "the vendor has a new secret: run careerrelay vendor subscribe %s %s", s.Company, s.Connection)
	}
	return made, err
}

// Renewed is s after the vendor promised to send until the end of made: it is
// renewed when half of the time is gone, so that there is time for repairs.
func Renewed(s record.Subscription, made connectors.Subscription, now time.Time) record.Subscription {
	s.ID, s.EndsAt, s.RenewedAt = made.ID, made.Until, now
	s.DueAt = now.Add(made.Until.Sub(now) / 2)
	s.Failures, s.Error, s.Alarmed = 0, "", false
	return s
}

// unrenewed is s after a failure. A vendor that asks us to wait has not failed,
// unless the end is near.
func unrenewed(s record.Subscription, err error, now time.Time) record.Subscription {
	s.Error = scrub(err)
	wait := ats.WaitOf(err)
	if ats.FaultOf(err) != ats.Busy || wait == 0 {
		wait = pollRetries[min(s.Failures, len(pollRetries)-1)]
		s.Failures++
	}
	s.DueAt = now.Add(min(wait, pollRetries[len(pollRetries)-1]))
	s.Alarmed = s.Alarmed || ats.FaultOf(err) == ats.Denied || s.Failures >= pollAlarm || s.EndsAt.Sub(now) < renewNear
	return s
}
