package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/relay"
	"github.com/career-relay/connector/rules/consent"
)

const confirmDays = int(consent.ConfirmLinkLife / (24 * time.Hour))

// A question of the form. There are no others: what the law wants kept out of
// selection is not asked.
type question struct {
	id           string
	kind         string // type of input, "select", "radio" or "textarea"
	max          int    // characters
	autocomplete string
	short        bool
	optional     bool
	options      []option
	keep         func(p *relay.Profile) *string
	// check returns the name of what is wrong with an answer, or "".
	check func(answer string) string
}

var about = []question{
	{id: "name", kind: "text", max: 80, autocomplete: "name", keep: func(p *relay.Profile) *string { return &p.Name }, check: checkName},
	{id: "kana", kind: "text", max: 80, keep: func(p *relay.Profile) *string { return &p.Kana }, check: checkKana},
	{id: "mail", kind: "email", max: 254, autocomplete: "email", keep: func(p *relay.Profile) *string { return (*string)(&p.Email) }, check: checkMail},
	{id: "tel", kind: "tel", max: 30, autocomplete: "tel", short: true, optional: true, keep: func(p *relay.Profile) *string { return &p.Phone }, check: checkPhone},
	{id: "pref", kind: "select", autocomplete: "address-level1", short: true, options: prefectures, keep: func(p *relay.Profile) *string { return &p.Prefecture }},
}

var wishes = []question{
	{id: "job", kind: "select", short: true, options: occupations, keep: func(p *relay.Profile) *string { return &p.Occupation }},
	{id: "place", kind: "text", max: 100, short: true, optional: true, keep: func(p *relay.Profile) *string { return &p.Place }},
	{id: "when", kind: "radio", optional: true, options: starts, keep: func(p *relay.Profile) *string { return &p.Available }},
	{id: "note", kind: "textarea", max: 1000, optional: true, keep: func(p *relay.Profile) *string { return &p.Note }},
}

func checkName(s string) string {
	if strings.IndexFunc(s, unicode.IsLetter) < 0 {
		return "wrong.name"
	}
	return ""
}

// checkKana takes katakana and hiragana of any width.
func checkKana(s string) string {
	for _, r := range s {
		if !unicode.In(r, unicode.Katakana, unicode.Hiragana) && !strings.ContainsRune(" 　ー・ｰﾞﾟ゛゜", r) {
			return "wrong.kana"
		}
	}
	return ""
}

func checkMail(s string) string {
	address, problem := ats.ParseEmail(s)
	switch {
	case problem == ats.EmailSeveral:
		return "wrong.mail.several"
	case address == "":
		return "wrong.mail"
	case strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) >= 0:
		return "wrong.mail.width"
	case problem == ats.EmailReview:
		return "wrong.mail.review"
	}
	return ""
}

func checkPhone(s string) string {
	digits := 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case !strings.ContainsRune("+-() ", r):
			return "wrong.tel"
		}
	}
	if digits < 6 {
		return "wrong.tel"
	}
	return ""
}

// A field is a question on the page.
type field struct {
	ID, Type, Label, Hint, Optional, Choose, Autocomplete, Described string
	Value, Wrong                                                     string
	Max                                                              int
	Short                                                            bool
	Options                                                          []choice
}

type choice struct{ Value, Label string }

// An agree is a consent on the form: its box holds the hash of exactly the text
// that stands beside it.
type agree struct {
	Purpose, Name string
	Text          consent.Text
	Ticked        bool
	Wrong         string
}

type mistake struct{ ID, Text string }

// A form is the page that registers.
type form struct {
	About, Wishes []field
	Consents      []agree
	Notice        agree
	Versions      string
	Days          int
	Wrong         []mistake
}

// form shows the empty form: nothing is known about the person before they
// write it.
func (p *pages) form(c *gin.Context, v *view) error {
	f, _, _, err := v.fill(nil)
	if err != nil {
		return err
	}
	return v.render(c, http.StatusOK, "register", "register", f)
}

// register keeps what a person sent and mails the link that proves the mailbox.
// Until that is opened and confirmed it counts for nothing.
func (p *pages) register(c *gin.Context, v *view) error {
	f, profile, agreed, err := v.fill(c.Request.PostForm)
	if err != nil {
		return err
	}
	if len(f.Wrong) > 0 {
		return v.render(c, http.StatusUnprocessableEntity, "register", "register.wrong", f)
	}
	letters, err := p.Letters(v.company)
	if err != nil {
		return unwritten(err)
	}
	if !p.registrations.pass(v.link.Token, p.Now()) {
		return p.slowDown(c, v)
	}
	ctx := c.Request.Context()
	stop := p.wayOut(profile)
	id, err := p.People.Register(ctx, record.Registration{
		Link: v.link, Stop: stop, Profile: profile, Consents: agreed, Keep: consent.ConfirmLinkLife,
		Confirm: func(token string) (mail.Message, error) {
			l := p.letter(v, profile, stop)
			l.ConfirmURL, l.ConfirmUntil = p.PublicURL+"/r/"+token, p.Now().Add(consent.ConfirmLinkLife)
			message, err := letters.Confirm(v.company.Mail, l)
			return message, unwritten(err)
		},
	})
	if err != nil {
		return err
	}
	p.Log.InfoContext(ctx, "registration kept", "company", v.link.Company, "registration", id, "consents", len(agreed))
	c.Redirect(http.StatusSeeOther, v.URL("/sent"))
	return nil
}

// fill makes the form with the answers of sent, and what follows from them if
// nothing is wrong. Without sent it is empty.
func (v *view) fill(sent url.Values) (form, relay.Profile, []consent.Text, error) {
	profile := relay.Profile{Locale: v.Lang}
	if err := v.inviting(); err != nil {
		return form{}, profile, nil, err
	}
	f := form{Days: confirmDays}
	f.About = v.ask(about, sent, &profile, &f.Wrong)
	f.Wishes = v.ask(wishes, sent, &profile, &f.Wrong)
	profile.Email, _ = ats.ParseEmail(string(profile.Email))
	agreed, err := v.offer(&f, sent)
	return f, profile, agreed, err
}

func (v *view) ask(questions []question, sent url.Values, profile *relay.Profile, wrong *[]mistake) []field {
	var out []field
	for _, q := range questions {
		f := v.field(q)
		if sent != nil {
			f.Value = answer(sent.Get(q.id))
			*q.keep(profile) = f.Value
			if f.Wrong = v.wrong(q, f); f.Wrong != "" {
				*wrong = append(*wrong, mistake{q.id, f.Wrong})
			}
		}
		f.Described = described(f)
		out = append(out, f)
	}
	return out
}

// answer trims what was typed. Lines end as in the text area, so that the
// length counts as the person saw it.
func answer(s string) string {
	return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
}

func (v *view) field(q question) field {
	f := field{
		ID: q.id, Type: q.kind, Max: q.max, Short: q.short, Autocomplete: q.autocomplete,
		Label: v.must("field." + q.id), Hint: candidateWords["field."+q.id+".hint"][v.Lang],
	}
	if v.spared(q) {
		f.Optional = v.must("optional")
	}
	if q.kind == "select" {
		f.Choose = v.must("choose")
	}
	for _, o := range q.options {
		f.Options = append(f.Options, choice{o.Value, o.in(v.Lang)})
	}
	return f
}

// spared reports whether a question may stay unanswered. Katakana is asked of
// those who read Japanese only.
func (v *view) spared(q question) bool { return q.optional || q.id == "kana" && v.Lang != japanese }

// wrong says what is wrong with an answer, in words that name the remedy.
func (v *view) wrong(q question, f field) string {
	s := f.Value
	switch {
	case s == "" && v.spared(q):
		return ""
	case s == "":
		return v.must("wrong." + q.id + ".missing")
	case q.options != nil:
		if !slices.ContainsFunc(q.options, func(o option) bool { return o.Value == s }) {
			return v.must("wrong.choice", "label", f.Label)
		}
		return ""
	case !bounded(s, q.max):
		return v.must("wrong.long", "label", f.Label, "max", q.max)
	case strings.IndexFunc(s, func(r rune) bool {
		return r == unicode.ReplacementChar || unicode.IsControl(r) && r != '\n' && r != '\t'
	}) >= 0:
		return v.must("wrong.control", "label", f.Label)
	case q.check == nil:
		return ""
	}
	key := q.check(s)
	if key == "" {
		return ""
	}
	address, _ := ats.ParseEmail(s)
	return v.must(key, "address", string(address))
}

func described(f field) string {
	var ids []string
	if f.Wrong != "" {
		ids = append(ids, f.ID+"-wrong")
	}
	if f.Hint != "" {
		ids = append(ids, f.ID+"-hint")
	}
	return strings.Join(ids, " ")
}

// offer puts the consents on the form and returns those that were given. A yes
// counts only for the text that is in force: whoever saw an older one reads
// again.
func (v *view) offer(f *form, sent url.Values) ([]consent.Text, error) {
	var agreed []consent.Text
	var versions []string
	for i, purpose := range consent.Purposes {
		text, err := v.text(purpose)
		if err != nil {
			return nil, err
		}
		a := agree{Purpose: string(purpose), Name: letter(i) + " " + v.must("consent."+string(purpose)), Text: text}
		seen := sent.Get(a.Purpose)
		a.Ticked = seen == text.Hash
		switch {
		case a.Ticked:
			agreed = append(agreed, text)
		case seen != "":
			a.Wrong = v.must("wrong.text_changed", "name", a.Name)
		case sent != nil && purpose == consent.RelayHandover:
			a.Wrong = v.must("wrong.relay_handover")
		}
		if a.Wrong != "" {
			f.Wrong = append(f.Wrong, mistake{a.Purpose, a.Wrong})
		}
		f.Consents = append(f.Consents, a)
		versions = append(versions, fmt.Sprintf("%s %s", letter(i), text.Version))
	}
	notice, err := v.text(consent.Statistics)
	f.Notice = agree{Name: letter(len(consent.Purposes)) + " " + v.must("consent."+string(consent.Statistics)), Text: notice}
	f.Versions = strings.Join(versions, v.must("comma"))
	return agreed, err
}

// text is the wording of a purpose as this person sees it.
func (v *view) text(p consent.Purpose) (consent.Text, error) {
	text, err := v.shared.Texts.Find(p, v.Lang)
	if err != nil {
		return text, fmt.Errorf("consent texts: %w", err)
	}
	all := v.recipients()
	var licences []string
	for _, r := range all {
		licences = append(licences, r.Licence)
	}
	return text.Show(consent.Names{Company: v.Company(), Recipient: v.names(all), Licence: strings.Join(licences, v.must("comma"))})
}

// consentName is the short name of a purpose, with its letter.
func (v *view) consentName(p consent.Purpose) string {
	return letter(slices.Index(consent.Purposes, p)) + " " + v.must("consent."+string(p))
}

// values lists what a person told us.
func (v *view) values(p relay.Profile) []value {
	var out []value
	for _, q := range slices.Concat(about, wishes) {
		s := *q.keep(&p)
		if s == "" {
			continue
		}
		answered := value{Label: v.must("field." + q.id), Value: s}
		switch {
		case q.options != nil:
			answered.Value = label(q.options, s, v.Lang)
		case p.Locale != v.Lang:
			answered.Lang = p.Locale
		}
		out = append(out, answered)
	}
	return out
}
