package web_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/web/webtest"
)

// enter logs in as a person does.
func (o *office) enter(p *webtest.Page, name string) {
	o.t.Helper()
	p.Go(o.base + "/login")
	p.Click("#name")
	p.Type(name)
	p.Press("Tab")
	p.Type("a long password")
	p.Follow(func() { p.Press("Enter") })
	if got := p.URL(); got != o.base+"/" {
		o.t.Fatalf("after the login the browser is at %s:\n%s", got, p.Text())
	}
}

// TestConsoleFitsEveryWindow also takes pictures into the folder that PICTURES
// names.
func TestConsoleFitsEveryWindow(t *testing.T) {
	b := webtest.Open(t)
	o := newOffice(t)
	o.seed()
	_, err := o.store.AddUser(t.Context(), record.System, "megumi", "a long password", record.Operator)
	o.must(err)
	m, app := o.mailOf("48213377"), o.app("48213377")
	for noun, id := range map[string]string{"mail": m.ID, "application": app.ID} {
		o.must(o.store.Audit(t.Context(), record.Actor{Name: "user:megumi"}, record.Audit{Verb: "reveal", Noun: noun, Subject: id, Reason: "a question"}))
	}
	o.rerun()
	paths := o.paths()
	maps.Copy(paths, map[string]string{
		"mailbox_open": "/mailbox?id=" + m.ID, "mail_text": "/mails/" + m.ID + "?view=text", "mail_source": "/mails/" + m.ID + "?view=source",
		"lost": "/nowhere", "jobs_bad": "/jobs?sttae=dead",
	})
	folder := os.Getenv("PICTURES")
	for _, device := range []struct {
		name  string
		every bool // page; without it, and without PICTURES, only some
		webtest.Device
	}{
		{"1280-ja", false, webtest.Device{Width: 1280, Lang: "ja"}},
		{"1280-en", false, webtest.Device{Width: 1280, Lang: "en"}},
		{"390-ja", true, webtest.Device{Width: 390, Lang: "ja"}},
		{"390-en", false, webtest.Device{Width: 390, Lang: "en", NoScript: true}},
		{"320-en", true, webtest.Device{Width: 320, Lang: "en"}},
		{"1280-ja-dark", false, webtest.Device{Width: 1280, Lang: "ja", Dark: true}},
	} {
		p := b.Page(t, device.Device)
		look := func(name string) {
			t.Helper()
			if n := p.Overflow(); n > 0 {
				t.Errorf("%s is %d px wider than a window of %s", name, n, device.name)
			}
			if small := p.Small(24); len(small) > 0 {
				t.Errorf("%s at %s has controls that are too small: %q", name, device.name, small)
			}
			var rules, headings, nameless int
			p.Eval(`document.styleSheets[0].cssRules.length`, &rules)
			p.Eval(`document.querySelectorAll("h1").length`, &headings)
			p.Eval(`[...document.querySelectorAll("input:not([type=hidden]), select, textarea")].filter(e => !e.labels.length && !e.ariaLabel).length`, &nameless)
			if rules == 0 || headings != 1 || nameless != 0 {
				t.Errorf("%s at %s: %d rules of style, %d h1, %d fields without a label; want some, one and none", name, device.name, rules, headings, nameless)
			}
			if folder != "" {
				p.Screenshot(filepath.Join(folder, device.name, name+".png"))
			}
		}
		p.Go(o.base + "/login")
		look("login")
		o.enter(p, "megumi")
		for i, name := range slices.Sorted(maps.Keys(paths)) {
			if device.every || folder != "" || i%5 == 0 {
				p.Go(o.base + paths[name])
				look(name)
			}
		}
	}
}

// TestWorkingByKeyboardWithoutScript looks for stopped jobs, runs them again
// and reads what happened, as a person without mouse and script does.
func TestWorkingByKeyboardWithoutScript(t *testing.T) {
	o := newOffice(t)
	o.seed()
	_, err := o.store.AddUser(t.Context(), record.System, "megumi", "a long password", record.Operator)
	o.must(err)
	p := webtest.Open(t).Page(t, webtest.Device{Lang: "en", NoScript: true})
	o.enter(p, "megumi")

	tabTo(t, p, "find")
	p.Type("company:acme state:dead")
	p.Follow(func() { p.Press("Enter") })
	if got := p.URL(); got != o.base+"/jobs?company=acme&state=dead" {
		t.Fatalf("the search leads to %s", got)
	}
	tabTo(t, p, "Review re-run")
	p.Follow(func() { p.Press("Enter") })
	if got := p.Text(); !strings.Contains(got, "Nothing happens on this page") {
		t.Fatalf("the preview says\n%s", got)
	}
	tabTo(t, p, "reason")
	p.Type("the provider is back")
	p.Press("Tab")
	if got := p.Focused(); !strings.HasPrefix(got, "Re-run ") {
		t.Fatalf("after the reason the focus is on %q", got)
	}
	p.Follow(func() { p.Press("Enter") })
	if got := p.URL(); !strings.HasPrefix(got, o.base+"/batches/") {
		t.Fatalf("the re-run leads to %s:\n%s", got, p.Text())
	}
	if got := p.Text(); !strings.Contains(got, "the provider is back") {
		t.Errorf("the page of the batch does not give the reason:\n%s", got)
	}
}
