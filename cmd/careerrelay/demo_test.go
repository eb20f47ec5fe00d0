package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/career-relay/connector/web/webtest"
)

var pictures = flag.Bool("pictures", false, "write the pictures of the documentation")

// A screen is what a command prints, as far as it has got.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// letterFrame is where the mailbox shows the exact bytes of a mail.
var letterFrame = regexp.MustCompile(`<iframe[^>]* src="([^"]+)"`)

var demoLine = regexp.MustCompile(`(?m)^  (mailbox|console|candidate page|recipient) +(\S+)`)

var (
	demoMore   = regexp.MustCompile(`(?m)\S+ simulate webhook .*$`)
	demoPlayed = regexp.MustCompile(`\d+ signed webhooks played`)
)

// startDemo runs the command itself and returns the addresses it prints.
func startDemo(t *testing.T) map[string]string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, done := &screen{}, make(chan int, 1)
	env := map[string]string{"DATA": t.TempDir(), "LISTEN": "127.0.0.1:0", "OPS_LISTEN": "127.0.0.1:0"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	go func() { done <- run(ctx, []string{"demo"}, lookup, strings.NewReader(""), out, out) }()
	t.Cleanup(func() {
		stop()
		if code := <-done; code != exitDone {
			t.Errorf("the demo ended with %d:\n%s", code, out)
		}
	})
	for range 1200 {
		if found := demoLine.FindAllStringSubmatch(out.String(), -1); len(found) == 4 {
			places := map[string]string{"more": demoMore.FindString(out.String()), "played": demoPlayed.FindString(out.String())}
			for _, f := range found {
				places[f[1]] = f[2]
			}
			return places
		}
		select {
		case code := <-done:
			done <- code
			t.Fatalf("the demo ended with %d:\n%s", code, out)
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("the demo printed no addresses:\n%s", out)
	return nil
}

// The command that the demo recommends works in another terminal, and each time
// somebody else is turned down.
func TestTheDemoCanBeSentMore(t *testing.T) {
	places := startDemo(t)
	command := func(args ...string) string {
		t.Helper()
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, func(string) (string, bool) { return "", false }, strings.NewReader(""), &out, &errOut); code != exitDone {
			t.Fatalf("%s ended with %d: %s", args, code, errOut.String())
		}
		return out.String()
	}
	more := strings.Fields(places["more"])
	data := filepath.Dir(more[slices.Index(more, "--configs")+1])
	mails := func() int {
		return strings.Count(command("mail", "list", "--company", "acme", "--limit", "200", "--json", "--data", data), `"id"`)
	}
	if kept := strings.Count(command("delivery", "list", "--company", "acme", "--limit", "200", "--json", "--data", data)+command("delivery", "list", "--company", "globex", "--limit", "200", "--json", "--data", data), `"id"`); fmt.Sprint(kept, " signed webhooks played") != places["played"] {
		t.Errorf("%d deliveries were kept, but %s", kept, places["played"])
	}
	before := mails()
	for n := range 2 {
		command(more[1:]...)
		waitFor(t, "a mail to somebody else", func() bool { return mails() == before+n+1 })
	}
	if problems := command("config", "check", "--configs", filepath.Join(data, "demo-configs")); !strings.Contains(problems, "no problems") {
		t.Error(problems)
	}
}

// TestTheDemoInABrowser follows a newcomer through the demo: mailbox, mail,
// landing page, consent, confirmation, referral, credit.
func TestTheDemoInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("short: needs a browser")
	}
	places := startDemo(t)
	browser := webtest.Open(t)
	desk := browser.Page(t, webtest.Device{Width: 1280, Height: 860, NoScript: true, Lang: "ja"})
	desk.Go(places["mailbox"])
	desk.Follow(func() { desk.Click(`form[action="/login/demo"] button`) })
	if text := desk.Text(); !strings.Contains(text, "選考結果のお知らせ") && !strings.Contains(text, "メール") {
		t.Fatalf("the mailbox shows no mail:\n%s", text)
	}
	picture(desk, "mailbox.png")
	if frame := letterFrame.FindStringSubmatch(desk.HTML()); frame == nil {
		t.Error("the mailbox shows no letter")
	} else if *pictures {
		letter := browser.Page(t, webtest.Device{Width: 680, Height: 900, NoScript: true, Lang: "ja"})
		letter.Go(places["mailbox"])
		letter.Follow(func() { letter.Click(`form[action="/login/demo"] button`) })
		letter.Go(strings.TrimSuffix(places["console"], "/") + frame[1])
		picture(letter, "mail-ja.png")
	}
	desk.Go(places["console"])
	picture(desk, "console.png")

	person := browser.Page(t, webtest.Device{Width: 760, Height: 1000, NoScript: true, Lang: "ja"})
	person.Go(places["candidate page"])
	picture(person, "landing.png")
	person.Go(places["candidate page"] + "/register")
	for field, text := range map[string]string{"#name": "山田 葵", "#kana": "ヤマダ アオイ", "#mail": "aoi@example.jp"} {
		person.Click(field)
		person.Type(text)
	}
	choose(person, "#pref", 13)
	choose(person, "#job", 1)
	person.Click("#relay_handover")
	person.Follow(func() { person.Click(`button[type="submit"]`) })

	confirm := newestLink(t, desk, places["mailbox"], "relay_confirm")
	person.Go(confirm)
	person.Follow(func() { person.Click(`button[type="submit"]`) })
	waitFor(t, "the referral at the recipient", func() bool {
		person.Go(places["recipient"] + "?lang=en")
		return !strings.Contains(person.Text(), "No referral has arrived")
	})
	waitFor(t, "the credit in the console", func() bool {
		desk.Go(places["console"] + "credits")
		return strings.Contains(desk.Text(), "1 / 10")
	})
	picture(desk, "credits.png")
}

// picture keeps what a page shows, when pictures are asked for.
func picture(p *webtest.Page, name string) {
	if *pictures {
		p.Screenshot(filepath.Join("..", "..", "docs", "img", name))
	}
}

// choose takes the n-th answer of a select by script from outside the page.
func choose(p *webtest.Page, selector string, n int) {
	p.Click(selector)
	keys := make([]string, 0, n+1)
	for range n {
		keys = append(keys, "ArrowDown")
	}
	p.Press(append(keys, "Enter")...)
}

// newestLink waits for a mail of a purpose in the mailbox and returns the link
// to a page of ours in it.
func newestLink(t *testing.T, p *webtest.Page, mailbox, purpose string) string {
	t.Helper()
	var link string
	waitFor(t, "a mail for "+purpose, func() bool {
		p.Go(mailbox + "?purpose=" + purpose)
		link = relayLink.FindString(p.Text())
		return link != ""
	})
	return link
}

func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for range 300 {
		if happened() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}
