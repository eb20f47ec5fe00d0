package web

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

// Personal data is shown after its reader has said why. The audit log is
// written first and is also what the pages ask: whoever is in it may look
// again for a while. So every replica agrees, and nobody can look without
// being in it.

// revealFor is how long something stays revealed to whoever said why.
const revealFor = 15 * time.Minute

// unlock notes why somebody is going to see what is personal in a row. It
// returns our id of the row, which may have been named by the vendor's.
func (k *desk) unlock(ctx context.Context, who record.Actor, n noun, id, reason string) (string, error) {
	entry := record.Audit{Verb: "reveal", Noun: n.One}
	var err error
	switch n.Path {
	case deliveryNoun.Path:
		var d deliveryDetail
		d, err = k.delivery(ctx, id)
		entry.Subject, entry.Company = d.ID, d.Company
	case applicationNoun.Path:
		var a record.Application
		a, err = k.Desk.Application(ctx, id, false)
		entry.Subject, entry.Company = a.ID, a.Company
	default:
		var m record.Mail
		m, err = k.Desk.Mail(ctx, id)
		entry.Subject, entry.Company = m.ID, m.Company
	}
	if err != nil {
		return "", err
	}
	if entry.Reason, err = record.NeedReason(reason); err != nil {
		return "", err
	}
	return entry.Subject, k.Desk.Audit(ctx, who, entry)
}

// revealed returns until when a row is revealed to who; the zero time when it
// is not.
func (k *desk) revealed(ctx context.Context, who record.Actor, n noun, id string) (time.Time, error) {
	entries, err := k.Desk.Audits(ctx, record.Filter{ID: id, Since: k.Now().Add(-revealFor)})
	if err != nil {
		return time.Time{}, err
	}
	i := slices.IndexFunc(entries, func(a record.Audit) bool { return a.Verb == "reveal" && a.Noun == n.One && a.Actor == who.Name })
	if i < 0 {
		return time.Time{}, nil
	}
	return entries[i].At.Add(revealFor), nil
}

// revealCandidate notes the reveal and reads who applied.
func (k *desk) revealCandidate(ctx context.Context, who record.Actor, id, reason string) (*ats.Candidate, error) {
	id, err := k.unlock(ctx, who, applicationNoun, id, reason)
	if err != nil {
		return nil, err
	}
	return k.candidate(ctx, id)
}

// candidate reads who applied; ats.NotFound when that is not kept any more.
func (k *desk) candidate(ctx context.Context, id string) (*ats.Candidate, error) {
	a, err := k.Desk.Application(ctx, id, true)
	if err != nil {
		return nil, err
	}
	if a.Candidate == nil {
		return nil, ats.Errorf(ats.NotFound, "nothing personal is kept about application %s: it was erased, or its time is over", id)
	}
	return a.Candidate, nil
}

// revealMail notes the reveal and reads a mail's exact content.
func (k *desk) revealMail(ctx context.Context, who record.Actor, id, reason string) (mail.Message, error) {
	id, err := k.unlock(ctx, who, mailNoun, id, reason)
	if err != nil {
		return mail.Message{}, err
	}
	_, letter, err := k.Desk.Letter(ctx, id)
	return letter, err
}

// A raw is the payload of a delivery as it came.
type raw struct {
	Header http.Header `json:"header,omitempty"`
	Query  url.Values  `json:"query,omitempty"`
	Body   string      `json:"body,omitempty"`
	Base64 string      `json:"body_base64,omitempty"` // of a body that is not text
}

func rawOf(p connectors.Payload) raw {
	r := raw{Header: p.Header, Query: p.Query}
	if utf8.Valid(p.Body) {
		r.Body = string(p.Body)
	} else {
		r.Base64 = base64.StdEncoding.EncodeToString(p.Body)
	}
	return r
}

// revealDelivery notes the reveal and reads a delivery's payload.
func (k *desk) revealDelivery(ctx context.Context, who record.Actor, id, reason string) (raw, error) {
	id, err := k.unlock(ctx, who, deliveryNoun, id, reason)
	if err != nil {
		return raw{}, err
	}
	return k.payload(ctx, id)
}

func (k *desk) payload(ctx context.Context, id string) (raw, error) {
	_, d, err := k.Desk.Delivery(ctx, id)
	return rawOf(d.Payload), err
}
