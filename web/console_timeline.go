package web

import (
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/consent"
)

// A step is one entry of a timeline.
type step struct {
	At     time.Time
	What   string
	Chip   template.HTML
	Text   string
	More   string
	Codes  []pair // small print: names and values
	Links  []link
	Checks []check
	Person bool // a deed of the person
	Next   bool // still to come
	NewDay bool // the first of its day
}

// An applicationPage is what happened to one application and why.
type applicationPage struct {
	*sheet
	Row      record.Application
	Steps    []step // until the result was sent
	Personal []step // what the person did; not for the company unless they agreed
	Tell     bool   // the person agreed that the company hears of it
	Mails    []record.Mail
	Person   *ats.Candidate // nil when nothing is kept
	Name     string
	Address  string
	Until    time.Time // until when it is revealed
	Audit    []record.Audit
	Replay   string // address of the preview that reads its deliveries again
}

func (k *console) applicationPage(c *gin.Context, s *sheet) error {
	ctx := c.Request.Context()
	d, err := k.application(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	s.of(d.Company)
	s.Nav = "applications"
	p := applicationPage{sheet: s, Row: d.Application, Mails: d.Mails, Audit: d.Audit}
	p.Title = s.t("application.h1", "id", d.ApplicationID)
	if p.Person, err = k.candidate(ctx, d.ID); err != nil && ats.FaultOf(err) != ats.NotFound {
		return err
	}
	if p.Until, err = k.revealed(ctx, s.Who.Actor, applicationNoun, d.ID); err != nil {
		return err
	}
	p.mask()
	if p.Steps, err = k.steps(c, s, d); err != nil {
		return err
	}
	p.Personal = s.personal(d)
	_, p.Tell = consent.May(record.Rules(d.Consents), consent.TellCompany, s.Now)
	if s.May() {
		p.Replay = "/deliveries/replay?" + url.Values{"company": {d.Company}, "connection": {d.Connection}, "application": {d.ApplicationID}}.Encode()
	}
	p.say(d)
	k.render(c, http.StatusOK, "application", p)
	return nil
}

// mask writes name and address as the visitor may see them.
func (p *applicationPage) mask() {
	switch {
	case p.Person == nil:
	case p.Until.IsZero():
		p.Name, p.Address = masked(p.Person.Name), maskedAddress(p.Person.Email)
	default:
		p.Name, p.Address = p.Person.Name, string(p.Person.Email)
	}
}

// say sums up where the application stands.
func (p *applicationPage) say(d applicationDetail) {
	i := slices.IndexFunc(d.Mails, func(m record.Mail) bool { return m.Purpose == "thank_you" })
	if i < 0 {
		p.Lead = p.t("application.lead.none", "why", p.Say(d.Decision))
		return
	}
	m := d.Mails[i]
	state := mailState(m)
	if m.State == record.MailSent && m.Transport == "mailbox" {
		state = "boxed"
	}
	p.Lead = p.t("application.lead."+state, "at", p.Long(mailTime(m)), "why", p.Say(m.Reason))
}

// steps writes the history of an application down: what came in, what it
// meant, what was decided and what became of the mail.
func (k *console) steps(c *gin.Context, s *sheet, d applicationDetail) ([]step, error) {
	var out []step
	seen := map[string]bool{}
	for _, e := range d.Events {
		if !seen[e.Delivery] {
			seen[e.Delivery] = true
			rows, err := k.Desk.Deliveries(c.Request.Context(), record.Filter{ID: e.Delivery})
			if err != nil {
				return nil, err
			}
			out = append(out, s.received(e.Delivery, rows))
		}
		out = append(out, s.happened(e), s.decided(e))
	}
	for _, m := range d.Mails {
		tries, said, err := k.Desk.MailHistory(c.Request.Context(), m.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, s.mailSteps(m, tries, said)...)
	}
	return s.order(out), nil
}

// order sorts steps by time and marks where a day begins. Steps of the same
// moment keep the order of what follows from what.
func (s *sheet) order(steps []step) []step {
	slices.SortStableFunc(steps, func(a, b step) int {
		return cmp.Or(boolCompare(a.Next, b.Next), a.At.Truncate(time.Second).Compare(b.At.Truncate(time.Second)))
	})
	last := ""
	for i := range steps {
		today := steps[i].At.In(s.zone).Format(time.DateOnly)
		steps[i].NewDay = today != last
		last = today
	}
	return steps
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (s *sheet) received(id string, rows []record.Delivery) step {
	if len(rows) == 0 {
		return step{What: s.t("step.delivery"), Text: s.t("step.delivery.gone"), Codes: []pair{{"", id}}}
	}
	d := rows[0]
	st := step{
		At: d.ReceivedAt, What: s.t("step.delivery"), Text: s.t("step.delivery."+d.Door, "connection", d.Connection),
		Codes: []pair{{s.t("field.size"), s.Num(d.Size) + " B"}},
	}
	if s.Sees("/deliveries/:id") {
		st.Links = []link{{Text: s.Short(d.ID), URL: "/deliveries/" + d.ID}}
	}
	if d.Repeats > 0 {
		st.More = s.t("step.delivery.repeats", "n", d.Repeats)
	}
	return st
}

func (s *sheet) happened(e record.Event) step {
	st := step{
		At: e.CreatedAt, What: s.t("step.event"), Text: s.t("step.event.text", "state", s.State("applications", e.State), "side", s.Side(e.Side)),
		Codes: []pair{{s.t("clock." + string(e.Clock)), s.Long(e.OccurredAt)}},
	}
	if e.Evidence != "" {
		st.Codes = append(st.Codes, pair{s.t("field.evidence"), e.Evidence})
	}
	if e.Status != "" {
		st.Codes = append(st.Codes, pair{s.t("field.status"), e.Status})
	}
	return st
}

func (s *sheet) decided(e record.Event) step {
	return step{
		At: e.CreatedAt, What: s.t("step.decision"), Text: s.t("action." + e.Action), More: s.Say(e.Code),
		Codes: []pair{{s.t("field.code"), e.Code}}, Checks: s.checks(e.Checks),
	}
}

// mailSteps is a mail's own part of a timeline.
func (s *sheet) mailSteps(m record.Mail, tries []record.Attempt, said []record.MailEvent) []step {
	open := link{Text: s.Short(m.ID), URL: "/mails/" + m.ID}
	out := []step{{
		At: m.CreatedAt, What: s.t("step.mail"), Text: s.t("step.mail.planned", "purpose", s.Word("purpose", m.Purpose)),
		Codes: []pair{{s.t("field.template"), m.Template + " " + m.Version}}, Links: []link{open},
	}}
	for _, a := range tries {
		at := a.EndedAt
		if at.IsZero() {
			at = a.StartedAt
		}
		st := step{At: at, What: s.t("step.attempt", "n", a.Number), Text: s.t("step.attempt." + a.Outcome)}
		switch {
		case a.Outcome != string(record.MailSent):
			st.Chip = s.Chip("tries", a.Outcome)
		case m.Transport == "mailbox":
			st.Text = s.t("step.attempt.boxed")
		}
		if a.Detail != "" {
			st.Codes = []pair{{"", a.Detail}}
		}
		out = append(out, st)
	}
	for _, e := range said {
		st := step{At: e.At, What: s.t("step.word"), Chip: s.Chip("words", e.Kind)}
		if e.Detail != "" {
			st.Codes = []pair{{"", e.Detail}}
		}
		out = append(out, st)
	}
	switch {
	case m.State == record.MailHeld && !m.Stopped:
		out = append(out, step{At: m.DueAt, Next: true, What: s.t("step.mail"), Chip: s.Mail(m), Text: s.t("step.mail.due", "at", s.Long(m.DueAt)), Links: []link{open}})
	case m.State == record.MailHeld:
		out = append(out, step{At: s.Now, Next: true, What: s.t("step.mail"), Chip: s.Mail(m), Text: s.t("step.mail.stopped"), More: s.Say(m.Reason), Links: []link{open}})
	case m.State == record.MailCancelled, m.State == record.MailSuppressed:
		out = append(out, step{At: m.UpdatedAt, What: s.t("step.mail"), Chip: s.Mail(m), Text: s.Say(m.Reason), Links: []link{open}})
	}
	return out
}

// personal is what the person did, and what followed from that.
func (s *sheet) personal(d applicationDetail) []step {
	var out []step
	for _, c := range d.Consents {
		var at []link
		if s.Sees("/consents/:id") {
			at = []link{{Text: s.t("step.consent.text"), URL: "/consents/" + c.ID}}
		}
		purpose := s.Word("purpose", c.Purpose)
		out = append(out, step{
			At: c.GivenAt, What: s.t("step.consent"), Text: s.t("step.consent.given", "purpose", purpose), Person: true, Links: at,
			Codes: []pair{{s.t("field.text_version"), c.TextVersion + " · " + c.Locale}},
		})
		if !c.ConfirmedAt.IsZero() {
			out = append(out, step{At: c.ConfirmedAt, What: s.t("step.confirmed"), Text: s.t("step.confirmed.text", "purpose", purpose), Person: true})
		}
		if !c.WithdrawnAt.IsZero() {
			out = append(out, step{At: c.WithdrawnAt, What: s.t("step.withdrawn"), Text: s.t("step.withdrawn.text", "purpose", purpose), Person: true, Links: at})
		}
	}
	for _, r := range d.Referrals {
		out = append(out, step{
			At: r.UpdatedAt, What: s.t("step.referral"), Chip: s.Chip("referrals", r.State), Text: s.t("step.referral.text", "recipient", s.Recipient(r.Recipient), "fields", s.Count("field", len(r.Fields))),
			More: s.Say(r.Reason), Links: []link{{Text: s.Short(r.ID), URL: "/referrals/" + r.ID}},
		})
		switch {
		case r.State != record.ReferralWithdrawn:
		case r.ToldAt.IsZero():
			out = append(out, step{At: s.Now, Next: true, What: s.t("step.told"), Text: s.t("step.untold.text", "recipient", s.Recipient(r.Recipient))})
		default:
			out = append(out, step{At: r.ToldAt, What: s.t("step.told"), Text: s.t("step.told.text", "recipient", s.Recipient(r.Recipient))})
		}
	}
	return s.order(out)
}

// Recipient is a recipient's name, or its id when it is not configured any
// more.
func (s *sheet) Recipient(id string) string {
	if r, ok := s.firms.Shared().Recipients[id]; ok {
		if name := r.Name.In(s.Lang); name != "" {
			return name
		}
	}
	return id
}
