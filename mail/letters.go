package mail

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
)

// A Letter is everything that a mail may say.
type Letter struct {
	CompanyID, CompanyName string
	Event                  ats.Event // of the application; zero for replies to a person's own deed
	To                     Address   // of a reply; the event's candidate otherwise
	Locale                 string    // "ja" or "en"
	Zone                   *time.Location
	SendID                 string
	PersonalLine           string // left out when CheckPersonalLine refuses it
	RelayURL               string // empty: no relay block
	RelayUntil             time.Time
	UnsubscribeURL         string
	OneClickURL            string
	ConfirmURL             string // of a confirmation mail
	ConfirmUntil           time.Time
	MyURL                  string   // of a receipt: the person's own page
	Recipients             []string // of a receipt: who receives the profile, with licence
	Agreed                 []string // of a receipt: each text as it was agreed to
}

//go:embed letters/*.txt
var shipped embed.FS

// The files that are not letters but parts of all letters of a language.
const (
	footerFile = "footer"
	offerFile  = "relay_offer"
)

// names are the files of one language, with the purpose of each; "" is a part.
// A thank-you letter of a stage falls back on the one without.
var names = map[string]Purpose{
	"thank_you": ThankYou, "thank_you-document": ThankYou, "thank_you-interview": ThankYou, "thank_you-final": ThankYou,
	"relay_confirm": RelayConfirm, "relay_receipt": RelayReceipt,
	footerFile: "", offerFile: "",
}

// required are the variables without which a file fails its purpose; of each
// line one is enough.
var required = map[string][][]string{
	"thank_you":     {{"greeting", "name"}},
	"relay_confirm": {{"confirm_url"}},
	"relay_receipt": {{"my_page_url"}, {"agreed"}},
	footerFile:      {{"legal_name"}, {"legal_address"}, {"contact"}, {"unsubscribe_url"}},
	offerFile:       {{"relay_url"}},
}

// Templates are the letters of one company.
type Templates struct {
	letters map[string]letter // by file name without its ending
}

// A letter is a source with its parts, ready to be written.
type letter struct {
	source
	lang    *language
	footer  []node
	parts   map[*variable][]node
	version string
}

// Load reads the shipped letters and puts the company's own files over them; own
// may be nil. Everything that is wrong with the company's files is reported at
// once, each problem with file and line.
func Load(own fs.FS) (*Templates, error) {
	files, err := read(own)
	if err != nil {
		return nil, err
	}
	sources := map[string]source{}
	var errs []error
	for _, file := range slices.Sorted(maps.Keys(files)) {
		base, _, _ := strings.Cut(file, ".")
		src, err := parse(file, names[base], files[file])
		errs = append(errs, err)
		if err == nil {
			errs = append(errs, missing(file, base, src))
		}
		sources[strings.TrimSuffix(file, ".txt")] = src
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	t := &Templates{letters: map[string]letter{}}
	for _, base := range slices.Sorted(maps.Keys(names)) {
		for _, code := range slices.Sorted(maps.Keys(languages)) {
			if names[base] != "" {
				t.letters[base+"."+code] = assemble(base, code, files, sources)
				errs = append(errs, t.try(base+"."+code, names[base]))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// Versions returns the version of each letter by its name.
func (t *Templates) Versions() map[string]string {
	out := map[string]string{}
	for name, l := range t.letters {
		out[name] = l.version
	}
	return out
}

// assemble puts a letter together with its parts. The version says which bytes
// all of them were made from.
func assemble(base, code string, files map[string][]byte, sources map[string]source) letter {
	name, footer, offer := base+"."+code, footerFile+"."+code, offerFile+"."+code
	sum := sha256.New()
	for _, n := range []string{name, footer, offer} {
		sum.Write(files[n+".txt"])
	}
	return letter{
		source: sources[name], lang: languages[code], footer: sources[footer].body,
		parts:   map[*variable][]node{find("relay_offer"): sources[offer].body},
		version: sources[name].version + "." + hex.EncodeToString(sum.Sum(nil))[:8],
	}
}

// read returns every file by name, the company's own over the shipped ones.
func read(own fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	for base := range names {
		for code := range languages {
			file := base + "." + code + ".txt"
			content, err := shipped.ReadFile("letters/" + file)
			if err != nil {
				return nil, fmt.Errorf("shipped letters: %w", err)
			}
			files[file] = content
		}
	}
	if own == nil {
		return files, nil
	}
	entries, err := fs.ReadDir(own, ".")
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "folder of letters: %w", err)
	}
	known := slices.Sorted(maps.Keys(files))
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if !slices.Contains(known, e.Name()) {
			errs = append(errs, ats.Errorf(ats.Invalid, "%s: no letter is called so%s", e.Name(), suggest(e.Name(), known)))
			continue
		}
		content, err := fs.ReadFile(own, e.Name())
		if err != nil {
			errs = append(errs, ats.Errorf(ats.Invalid, "%s: %w", e.Name(), err))
			continue
		}
		files[e.Name()] = content
	}
	return files, errors.Join(errs...)
}

// missing reports which variables a file needs and does not use.
func missing(file, base string, src source) error {
	kind, _, _ := strings.Cut(base, "-")
	var errs []error
	for _, either := range required[kind] {
		if !slices.ContainsFunc(either, func(name string) bool { return src.uses[find(name)] }) {
			v := find(either[0])
			errs = append(errs, ats.Errorf(ats.Invalid, "%s: needs {{%s}} ({{%s}})", file, v.ja, v.en))
		}
	}
	return errors.Join(errs...)
}

// try writes a letter with everything that it may say, and with as little as
// possible, and lets Check look at both, so that a letter that must not leave is
// found before anybody waits for it.
func (t *Templates) try(name string, p Purpose) error {
	const url = "https://example.test/0123456789abcdefghijklmnop"
	day := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	s := Settings{
		From:   Address{Address: "from@example.test"},
		Sender: Sender{Name: "Sample Legal Name", Address: "Sample Postal Address", Contact: "contact@example.test"},
	}
	bare := Letter{
		CompanyID: "sample", CompanyName: "Sample", SendID: "sample", To: Address{Address: "to@example.test"},
		UnsubscribeURL: url + "/u", OneClickURL: url + "/u", ConfirmURL: url + "/c", MyURL: url + "/m", Agreed: []string{"sample"},
	}
	full := bare
	full.RelayURL, full.RelayUntil, full.ConfirmUntil = url+"/r", day, day
	full.Recipients, full.PersonalLine, full.To.Name = []string{"sample"}, "sample", "見本 花子"
	full.Event.Candidate = ats.Candidate{Name: "見本 花子", FamilyName: "見本"}
	full.Event.Job.Title = "sample"
	for _, l := range []Letter{full, bare} {
		if err := Check(t.write(name, p, s, l)); err != nil {
			return ats.Errorf(ats.Invalid, "%s.txt: %w", name, err)
		}
	}
	return nil
}

// Thanks writes the result of a selection, in the variant of the stage. When the
// name cannot be used the greeting is a general one: such a mail is for a person
// to look at. A personal line that CheckPersonalLine refuses is left out, because
// a mail without one is still a good mail.
func (t *Templates) Thanks(s Settings, l Letter) (Message, error) {
	name := "thank_you-" + string(l.Event.StageKind) + "." + l.Locale
	if _, ok := t.letters[name]; !ok {
		name = "thank_you." + l.Locale
	}
	l.To.Address = l.Event.Candidate.Email
	l.To.Name, _ = ats.Greeting(l.Event.Candidate)
	return t.compose(name, ThankYou, s, l)
}

// Confirm writes the second step of a registration.
func (t *Templates) Confirm(s Settings, l Letter) (Message, error) {
	if l.ConfirmURL == "" {
		return Message{}, ats.Errorf(ats.Invalid, "a confirmation mail needs a link")
	}
	l.To.Name, _ = ats.Greeting(ats.Candidate{Name: l.To.Name})
	return t.compose("relay_confirm."+l.Locale, RelayConfirm, s, l)
}

// Receipt writes what was agreed and how to take it back.
func (t *Templates) Receipt(s Settings, l Letter) (Message, error) {
	if l.MyURL == "" || len(l.Agreed) == 0 {
		return Message{}, ats.Errorf(ats.Invalid, "a receipt needs the person's own page and what was agreed")
	}
	l.To.Name, _ = ats.Greeting(ats.Candidate{Name: l.To.Name})
	return t.compose("relay_receipt."+l.Locale, RelayReceipt, s, l)
}

func (t *Templates) compose(name string, p Purpose, s Settings, l Letter) (Message, error) {
	if _, ok := t.letters[name]; !ok {
		return Message{}, ats.Errorf(ats.Invalid, "no letter %q", name)
	}
	return t.write(name, p, s, l), nil
}

// write makes a message of a letter that is known to exist.
func (t *Templates) write(name string, purpose Purpose, s Settings, l Letter) Message {
	from := t.letters[name]
	vals := facts(from.lang, s, l)
	m := Message{
		SendID: l.SendID, Company: l.CompanyID, Purpose: purpose,
		From:    Address{Address: s.From.Address, Name: tidy(from.lang.display(s.From.Name, l.CompanyName))},
		ReplyTo: Address{Address: cmp.Or(s.ReplyTo, s.From.Address)},
		To:      Address{Address: l.To.Address, Name: vals.text["name"]},
		Subject: tidy(plain(from.subject, vals)),
		Sender:  Sender{Name: vals.text["legal_name"], Address: vals.text["legal_address"], Contact: vals.text["contact"]},
		Header:  map[string]string{}, Unsubscribe: l.UnsubscribeURL,
		Template: name, Version: from.version, Locale: from.lang.code,
	}
	if l.OneClickURL != "" {
		m.Header["List-Unsubscribe"] = "<" + tidy(l.OneClickURL) + ">"
		m.Header["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
	}
	p := &page{lang: from.lang, vals: vals, parts: from.parts}
	p.text.Grow(4 << 10)
	p.html.Grow(12 << 10)
	p.html.WriteString(`<!doctype html>` + "\n" + `<html lang="` + from.lang.code + `">` + "\n<head>\n" + frameHead +
		"<title>" + html.EscapeString(m.Subject) + "</title>\n" + frameStyle)
	if preview := p.markup(from.preview); preview != "" {
		p.html.WriteString(framePreview + preview + "</div>\n")
	}
	p.html.WriteString(frameTop)
	p.write(from.body)
	p.foot(from.why, from.footer)
	p.html.WriteString(frameBottom)
	m.Text, m.HTML = p.text.String()+"\n", p.html.String()
	if line := vals.text["personal_line"]; line != "" && strings.Contains(squeeze(m.Text), squeeze(line)) {
		m.PersonalLine = line
	}
	return m
}

// facts fills the variables. What comes from others is made fit for one line,
// and nothing but what stands here can get into a mail: no reason, no note.
func facts(g *language, s Settings, l Letter) values {
	zone := l.Zone
	if zone == nil {
		zone = time.UTC
	}
	name, line := tidy(l.To.Name), tidy(l.PersonalLine)
	if line != "" && CheckPersonalLine(line) != nil {
		line = ""
	}
	documents := s.Documents.JA
	if g.code == "en" {
		documents = s.Documents.EN
	}
	if strings.TrimSpace(documents) == "" {
		documents = g.documents
	}
	return values{
		text: map[string]string{
			"greeting": g.greeting(name), "name": name, "family_name": family(l.Event.Candidate, name),
			"company": tidy(l.CompanyName), "from_name": tidy(g.team(s.From.Name)), "job": title(l.Event.Job.Title),
			"legal_name": tidy(s.Sender.Name), "legal_address": tidy(s.Sender.Address), "contact": tidy(s.Sender.Contact),
			"personal_line": line, "documents": tidy(documents),
			"relay_url": l.RelayURL, "relay_until": g.until(l.RelayUntil, zone), "unsubscribe_url": l.UnsubscribeURL,
			"confirm_url": l.ConfirmURL, "confirm_until": g.until(l.ConfirmUntil, zone), "my_page_url": l.MyURL,
		},
		list: map[string][]string{"agreed": l.Agreed, "recipients": l.Recipients},
	}
}

// family returns the family name only where it surely is one: the full name, as
// the person writes it, is this and the given name. Vendors swap the two.
func family(c ats.Candidate, name string) string {
	f := tidy(c.FamilyName)
	rest, ok := strings.CutPrefix(name, f)
	if !ok || !japanese(f) || !strings.HasPrefix(rest, " ") && (rest == "" || rest != tidy(c.GivenName)) {
		return ""
	}
	return f
}

// title returns a job's title, or nothing when it is too long to be one.
func title(s string) string {
	s = tidy(s)
	if len([]rune(s)) > 120 {
		return ""
	}
	return s
}
