package web

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/sending"
)

// shapes are the shapes in which states are shown, by the path of the noun.
// The louder a shape, the more a person is needed: done, run, wait, hold and
// none are quiet, warn, ask and stop are not.
var shapes = map[string]map[string]string{
	"deliveries":   {"new": "wait", "decoded": "done", "ignored": "none", "parked": "warn", "quarantined": "stop"},
	"applications": {"rejected": "done", "withdrawn": "none", "hired": "done", "reopened": "run", "closed": "none", "erased": "none", "merged": "none"},
	"mails": {
		"held": "wait", "stopped": "hold", "sending": "run", "sent": "done", "unclear": "ask", "failed": "stop", "cancelled": "none", "suppressed": "none",
		"dry_run": "none",
	},
	"jobs":      {"waiting": "wait", "dispatched": "run", "running": "run", "done": "done", "dead": "stop", "cancelled": "none", "unclear": "ask"},
	"referrals": {"waiting": "wait", "handed_over": "done", "failed": "stop", "cancelled": "none", "withdrawn": "none"},
	"consents":  {"waiting": "wait", "given": "done", "withdrawn": "none"},
	"batches":   {"running": "run", "paused": "hold", "done": "done", "cancelled": "none", "interrupted": "warn"},
	"results":   {"waiting": "wait", "dispatched": "run", "running": "run", "done": "done", "dead": "stop", "cancelled": "none", "unclear": "ask", "skipped": "none", "gone": "none"},
	"companies": {"live": "done", "dry_run": "none", "link_only": "none", "braked": "stop", "unheard": "warn", "mailbox": "warn", "stale": "warn", "broken": "stop", "keyless": "warn"},
	"users":     {"on": "done", "off": "none", "lacking": "warn"},
	"alerts":    {"open": "stop", "muted": "hold", "resolved": "done"},
	"tries":     {"sending": "run", "sent": "done", "not_sent": "warn", "unclear": "ask", "failed": "stop"},
	"slots":     {"earned": "done", "requested": "run", "candidate_proposed": "run", "meeting_held": "run", "hired": "done", "not_hired": "none", "consumed": "none", "returned": "wait", "expired": "none"},
	"words":     {"processed": "run", "deferred": "wait", "delivered": "done", "blocked": "warn", "dropped": "stop", "bounced": "stop", "unsubscribed": "none", "complaint": "stop"},
}

// Chip writes a state as a shape and a word.
func (s *sheet) Chip(noun string, state any) template.HTML {
	name := fmt.Sprint(state)
	shape, ok := shapes[noun][name]
	if !ok {
		shape = "none"
	}
	return chip(shape, s.known("state."+noun+"."+name, name))
}

// chip writes a shape and a word.
func chip(shape, word string) template.HTML {
	return template.HTML(`<span class="st ` + shape + `">` + template.HTMLEscapeString(word) + `</span>`) //nolint:gosec // shape comes from our tables, word is escaped
}

// Mail writes the state of a mail: one that a person stopped, and one that was
// only tried out, have words of their own.
func (s *sheet) Mail(m record.Mail) template.HTML {
	switch {
	case m.State == record.MailHeld && m.Stopped:
		return s.Chip("mails", "stopped")
	case m.State == record.MailCancelled && m.Reason == sending.CodeDryRun:
		return s.Chip("mails", "dry_run")
	}
	return s.Chip("mails", m.State)
}

// Consent writes the state of a consent.
func (s *sheet) Consent(c record.Consent) template.HTML {
	switch {
	case !c.WithdrawnAt.IsZero():
		return s.Chip("consents", "withdrawn")
	case c.ConfirmedAt.IsZero():
		return s.Chip("consents", "waiting")
	}
	return s.Chip("consents", "given")
}

// State is the word for a state without its shape.
func (s *sheet) State(noun string, state any) string {
	name := fmt.Sprint(state)
	return s.known("state."+noun+"."+name, name)
}

// Side says who ended an application.
func (s *sheet) Side(side ats.Side) string { return s.known("side."+string(side), string(side)) }

// Word is the word for a name out of our tables: a purpose, a kind, a door.
func (s *sheet) Word(group string, name any) string {
	return s.known(group+"."+fmt.Sprint(name), fmt.Sprint(name))
}

// Say writes a reason: the sentence of a code, a sentence of ours in the
// language of the page, or the words of whoever gave it.
func (s *sheet) Say(reason string) string {
	if said := sending.Words(reason, s.Lang); said != reason {
		return said
	}
	if head, tail, ok := strings.Cut(reason, ": "); ok {
		return s.known("say."+reason, s.known("say."+head, head)+": "+tail)
	}
	return s.known("say."+reason, reason)
}

// A check is one question of a decision in words.
type check struct {
	Text   string
	OK     bool
	Detail string
}

// checks says what a decision asked. What was passed has its own words: those
// of the code say why not.
func (s *sheet) checks(all []record.Check) []check {
	out := make([]check, len(all))
	for i, c := range all {
		out[i] = check{Text: s.Say(c.Code), OK: c.OK, Detail: c.Detail}
		if c.OK {
			out[i].Text = s.known("passed."+c.Code, c.Code)
		}
	}
	return out
}

// masked is what is shown of a name before it is revealed: its first letter
// and always three dots.
func masked(name string) string {
	for _, r := range strings.TrimSpace(name) {
		return string(r) + " ●●●"
	}
	return "●●●"
}

// maskedAddress leaves of an address its first letter and its domain.
func maskedAddress(address ats.Email) string {
	local, domain, ok := strings.Cut(string(address), "@")
	if !ok || local == "" {
		return "•••"
	}
	return string([]rune(local)[:1]) + "•••@" + domain
}
