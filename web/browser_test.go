package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/consent"
	"github.com/career-relay/connector/web/webtest"
)

// tabTo presses Tab until an element has the focus, as a person without a
// mouse does.
func tabTo(t *testing.T, p *webtest.Page, name string) {
	t.Helper()
	var seen []string
	for range 60 {
		p.Press("Tab")
		got := p.Focused()
		if strings.HasPrefix(got, name) {
			return
		}
		seen = append(seen, got)
	}
	t.Fatalf("Tab never comes to %q on %s; it came to %q", name, p.URL(), seen)
}

func TestRegisteringByKeyboardWithoutScript(t *testing.T) {
	b := webtest.Open(t)
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink, Locale: "ja"})[0]
	p := b.Page(t, webtest.Device{Width: 390, Height: 800, NoScript: true})

	p.Go(s.url + "/r/" + token)
	p.Press("Tab")
	if got := p.Focused(); got != "本文へ移動" {
		t.Errorf("the first stop is %q, want the link to the content", got)
	}
	tabTo(t, p, "内容を見て")
	p.Follow(func() { p.Press("Enter") })

	// First with mistakes: the summary has the focus and leads to the field.
	tabTo(t, p, "name")
	p.Type("𠮷田 花子")
	tabTo(t, p, "mail")
	p.Type("hanako＠example.jp")
	p.Follow(func() { p.Press("Enter") })
	p.Await(`document.activeElement.matches(".sum")`)
	for range 2 { // フリガナ, メール
		p.Press("Tab")
	}
	p.Press("Enter")
	p.Press("Shift+Tab", "Tab")
	if got := p.Focused(); got != "mail" {
		t.Errorf("the summary leads to %q, want mail", got)
	}
	var selected string
	p.Eval(`document.querySelector("#mail").value`, &selected)
	if selected != "hanako＠example.jp" {
		t.Errorf("the field has %q, want what was typed", selected)
	}
	p.Eval(`document.querySelector("#mail").select()`, nil)
	p.Type("hanako@example.jp")
	p.Press("Shift+Tab")
	p.Type("ヨシダ ハナコ")
	tabTo(t, p, "pref")
	p.Press("ArrowDown")
	tabTo(t, p, "job")
	p.Press("ArrowDown", "ArrowDown")
	tabTo(t, p, "note")
	p.Type("開発を5年。")
	tabTo(t, p, "relay_handover")
	p.Press("Space")
	tabTo(t, p, "確認メールを受け取る")
	p.Follow(func() { p.Press("Enter") })
	if got := p.Text(); !strings.Contains(got, "確認メールを\nお送りします。") && !strings.Contains(got, "確認メールをお送りします。") {
		t.Fatalf("the page says\n%s", got)
	}

	p.Go(s.url + "/r/" + s.linkIn(s.letter(mail.RelayConfirm)))
	tabTo(t, p, "登録を確定する")
	p.Follow(func() { p.Press("Space") })
	if got := p.Text(); !strings.Contains(got, "受付のメール") {
		t.Fatalf("the page says\n%s", got)
	}

	p.Go(s.url + "/r/" + s.linkIn(s.letter(mail.RelayReceipt)))
	tabTo(t, p, "同意を取り消す")
	p.Follow(func() { p.Press("Enter") })
	if got := p.Text(); !strings.Contains(got, "取り消しました") {
		t.Fatalf("the page says\n%s", got)
	}
	p.Go(s.url + "/r/" + token)
	tabTo(t, p, "この案内は不要です")
	p.Follow(func() { p.Press("Enter") })
	tabTo(t, p, "ご案内を止める")
	p.Follow(func() { p.Press("Enter") })
	if got := p.Text(); !strings.Contains(got, "止めました") || !s.stopped() {
		t.Fatalf("stopped: %v; the page says\n%s", s.stopped(), got)
	}
}

// TestPagesFitEveryWindow also takes pictures into the folder that PICTURES
// names.
func TestPagesFitEveryWindow(t *testing.T) {
	b := webtest.Open(t)
	s := newSite(t)
	j := s.journey()
	s.handOver(j)
	pages := map[string]string{
		"landing": "/r/" + j.relay, "register": "/r/" + j.relay + "/register", "sent": "/r/" + j.relay + "/sent",
		"confirm": "/r/" + j.confirm, "confirmed": "/r/" + j.confirmed, "mypage": "/r/" + j.my,
		"stop": "/u/" + j.stop, "stopped": "/u/" + j.stop + "/stopped", "ended": "/r/" + consent.NewToken(), "root": "/",
	}
	folder := os.Getenv("PICTURES")
	for _, device := range []struct {
		name string
		webtest.Device
	}{
		{"320", webtest.Device{Width: 320}},
		{"390", webtest.Device{Width: 390}},
		{"1280", webtest.Device{Width: 1280}},
		{"390-dark", webtest.Device{Width: 390, Dark: true}},
	} {
		for _, lang := range []string{"ja", "en"} {
			p := b.Page(t, device.Device)
			look := func(name string) {
				t.Helper()
				if n := p.Overflow(); n > 0 {
					t.Errorf("%s in %s is %d px wider than a window of %s", name, lang, n, device.name)
				}
				if small := p.Small(24); len(small) > 0 {
					t.Errorf("%s in %s at %s has controls that are too small: %q", name, lang, device.name, small)
				}
				var loaded, h1 int
				p.Eval(`document.styleSheets[0].cssRules.length`, &loaded)
				p.Eval(`document.querySelectorAll("h1").length`, &h1)
				if loaded == 0 || h1 != 1 {
					t.Errorf("%s in %s: %d rules of style, %d h1; want some, and one", name, lang, loaded, h1)
				}
				if folder != "" {
					p.Screenshot(filepath.Join(folder, name+"-"+lang+"-"+device.name+".png"))
				}
			}
			for name, path := range pages {
				p.Go(s.url + path + "?lang=" + lang)
				look(name)
			}
			p.Go(s.url + pages["register"] + "?lang=" + lang)
			p.Click("#mail")
			p.Type("hanako＠example.jp")
			p.Follow(func() { p.Press("Enter") })
			look("register_wrong")
		}
	}
}
