package web

import (
	"context"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/alerts"
	"github.com/career-relay/connector/rules/sending"
)

// A briefing is the answer to one question that a recruiter has about their
// company, in words without codes.
type briefing struct {
	Chip   template.HTML
	Ask    string
	Text   string
	URL    string
	Button string
}

// answers says how a company is doing: is it connected, what came last, what
// goes out next, what is stopped and why, and what is to be done.
func (k *console) answers(ctx context.Context, p companyPage) ([]briefing, error) {
	next, err := k.nextMail(ctx, p)
	if err != nil {
		return nil, err
	}
	return []briefing{k.connected(p), p.lastNews(), next, p.stops(), p.todo()}, nil
}

func (p companyPage) answer(shape, word, ask, text string) briefing {
	return briefing{Chip: chip(shape, p.t("answer."+word)), Ask: p.t("answer." + ask), Text: text}
}

// about are the open alerts of a company, of one kind or of all.
func (p companyPage) about(kinds ...alerts.Kind) []alerts.Alert {
	var out []alerts.Alert
	for _, a := range p.Beat.Alerts {
		if a.Company == p.Row.ID && (len(kinds) == 0 || slices.Contains(kinds, a.Kind)) {
			out = append(out, a)
		}
	}
	return out
}

func (k *console) connected(p companyPage) briefing {
	var broken, paused []string
	for name, settings := range p.Row.Company.Connections {
		if _, err := k.Open(p.Row.ID, name); err != nil {
			broken = append(broken, name)
		} else if settings.Paused {
			paused = append(paused, name)
		}
	}
	slices.Sort(broken)
	slices.Sort(paused)
	all := len(p.Row.Company.Connections)
	switch silent := p.about(alerts.Silence, alerts.PollSilence, alerts.PollBrake); {
	case all == 0:
		return p.answer("warn", "no", "connected", p.t("answer.connected.none"))
	case len(broken) > 0:
		return p.answer("stop", "no", "connected", p.t("answer.connected.broken", "names", strings.Join(broken, ", ")))
	case len(silent) > 0:
		return p.answer("warn", "look", "connected", silent[0].Text(p.Lang, p.zone))
	case len(paused) > 0:
		return p.answer("hold", "paused", "connected", p.t("answer.connected.paused", "names", strings.Join(paused, ", ")))
	case p.Row.Last == nil:
		return p.answer("wait", "waiting", "connected", p.t("answer.connected.quiet"))
	}
	return p.answer("done", "yes", "connected", p.t("answer.connected.all", "count", p.Count("connection", all)))
}

func (p companyPage) lastNews() briefing {
	if p.Row.Last == nil {
		return p.answer("wait", "waiting", "last", p.t("answer.last.none"))
	}
	at := p.Row.Last.ReceivedAt
	return p.answer("done", "received", "last", p.t("answer.last.text", "at", p.Long(at), "span", p.Since(at), "name", p.Row.Last.Connection))
}

func (k *console) nextMail(ctx context.Context, p companyPage) (briefing, error) {
	id := p.Row.ID
	switch {
	case p.Row.Company.Sending.Mode == sending.DryRun:
		return p.answer("none", "dry", "next", p.t("answer.next.dry")), nil
	case p.Row.Company.Sending.Mode == sending.LinkOnly:
		return p.answer("none", "dry", "next", p.t("answer.next.link")), nil
	case k.boxed(p.Row.Company):
		return p.answer("warn", "look", "next", p.t("answer.next.mailbox")), nil
	}
	found, err := k.Desk.Mails(ctx, record.Filter{Company: id, State: "held", Order: record.ByDue, Limit: record.MaxPage})
	if err != nil {
		return briefing{}, err
	}
	found = slices.DeleteFunc(found, func(m record.Mail) bool { return m.Stopped })
	waiting := p.Counts.Mails["held"]
	switch {
	case waiting == 0:
		return p.answer("none", "nothing", "next", p.t("answer.next.none")), nil
	case slices.ContainsFunc(p.Brakes, func(b record.Brake) bool { return b.ResolvedAt.IsZero() && b.Kind != "volume" && b.Kind != "poll" }):
		return p.answer("hold", "held", "next", p.t("answer.next.braked", "count", p.Count("mail", waiting))), nil
	}
	text := p.t("answer.next.some", "count", p.Count("mail", waiting)) // behind more stopped ones than are looked at
	if len(found) > 0 {
		text = p.t("answer.next.text", "at", p.Long(found[0].DueAt), "count", p.Count("mail", waiting))
	}
	a := p.answer("wait", "planned", "next", text)
	a.URL, a.Button = "/mails?"+url.Values{"company": {id}, "state": {"held"}, "order": {record.ByDue}}.Encode(), p.t("answer.next.look")
	return a, nil
}

func (p companyPage) stops() briefing {
	var why []string
	for _, b := range p.Brakes {
		if b.ResolvedAt.IsZero() {
			why = append(why, p.t("alert.brake."+b.Kind)+p.t("colon")+p.Say(b.Cause))
		}
	}
	stopped := p.Counts.Mails["stopped"]
	switch {
	case len(why) > 0:
		return p.answer("stop", "braked", "stopped", strings.Join(why, " "))
	case stopped > 0:
		return p.answer("hold", "held", "stopped", p.t("answer.stopped.mails", "count", p.Count("mail", stopped)))
	}
	return p.answer("done", "free", "stopped", p.t("answer.stopped.none"))
}

// todo is what comes first of all that is to be done.
func (p companyPage) todo() briefing {
	id := p.Row.ID
	if open := p.about(); len(open) > 0 {
		a := p.answer("warn", "do", "todo", alerts.Advice(open[0].Kind, p.Lang))
		if !p.Sees("/alerts") {
			return a
		}
		a.URL, a.Button = "/alerts?"+url.Values{"company": {id}, "state": {"open"}}.Encode(), p.t("alert.look", "count", p.Count("alert", len(open)))
		return a
	}
	if stopped := p.Counts.Mails["stopped"]; stopped > 0 {
		a := p.answer("warn", "do", "todo", p.t("answer.todo.stopped"))
		a.URL, a.Button = "/mails?"+url.Values{"company": {id}, "state": {"stopped"}}.Encode(), p.t("alert.look", "count", p.Count("mail", stopped))
		return a
	}
	return p.answer("done", "nothing", "todo", p.t("answer.todo.none"))
}

// Releasable reports whether a person can let go of a brake.
func (companyPage) Releasable(b record.Brake) bool {
	return b.ResolvedAt.IsZero() && (b.Kind == sending.BrakeBounces || b.Kind == sending.BrakeComplaints)
}
