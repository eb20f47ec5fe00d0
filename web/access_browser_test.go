package web_test

import (
	"encoding/base32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
	"github.com/career-relay/connector/web/webtest"
)

// sign types name and password.
func (o *office) sign(p *webtest.Page, name string) {
	o.t.Helper()
	p.Go(o.base + "/login")
	p.Click("#name")
	p.Type(name)
	p.Press("Tab")
	p.Type("a long password")
	p.Follow(func() { p.Press("Enter") })
}

// TestSigningInInABrowser sets a second factor up, signs out and in again with
// a code, finds the session on the account page and ends one elsewhere. Without
// script, and with pictures into the folder that PICTURES names.
func TestSigningInInABrowser(t *testing.T) {
	b := webtest.Open(t)
	for _, device := range []struct {
		name string
		webtest.Device
	}{
		{"1280-ja", webtest.Device{Width: 1280, Lang: "ja", NoScript: true}},
		{"390-en-dark", webtest.Device{Width: 390, Lang: "en", Dark: true, NoScript: true}},
		{"320-ja", webtest.Device{Width: 320, Lang: "ja", NoScript: true}},
	} {
		t.Run(device.name, func(t *testing.T) {
			o := newOffice(t)
			o.seed()
			o.shared.Access = access.Settings{
				SecondFactor: []record.Role{record.Admin},
				OIDC:         &access.OIDC{Issuer: "https://login.example.jp", ClientID: "console", Grants: []access.Grant{{Group: "duty", Role: record.Operator}}},
			}
			o.user("boss", record.Admin)
			o.guest(record.User{Name: "ken", Role: record.Recruiter, Company: "acme"}, "")
			elsewhere := o.guest(record.User{Name: "megumi", Role: record.Operator}, "")
			p := b.Page(t, device.Device)
			look := func(name string) {
				t.Helper()
				if n := p.Overflow(); n > 0 {
					t.Errorf("%s is %d px wider than the window", name, n)
				}
				if small := p.Small(24); len(small) > 0 {
					t.Errorf("%s has controls that are too small: %q", name, small)
				}
				var headings, nameless, pale int
				p.Eval(`document.querySelectorAll("h1").length`, &headings)
				p.Eval(`[...document.querySelectorAll("input:not([type=hidden]), select, textarea")].filter(e => !e.labels.length && !e.ariaLabel).length`, &nameless)
				p.Eval(contrast, &pale)
				if headings != 1 || nameless != 0 || pale != 0 {
					t.Errorf("%s: %d h1, %d fields without a label, %d texts that are too pale; want one and none", name, headings, nameless, pale)
				}
				if folder := os.Getenv("PICTURES"); folder != "" {
					p.Screenshot(filepath.Join(folder, "access-"+device.name, name+".png"))
				}
			}
			p.Go(o.base + "/login")
			look("login")
			o.sign(p, "boss")
			if got := p.URL(); got != o.base+"/login/factor" {
				t.Fatalf("the password leads to %s", got)
			}
			look("factor")
			var secret string
			p.Eval(`[...document.querySelectorAll("dd.id")][1].textContent.replaceAll(" ", "")`, &secret)
			key, err := secretOf(secret)
			o.must(err)
			p.Click("#code")
			p.Type("000000")
			p.Follow(func() { p.Press("Enter") })
			look("factor_wrong")
			p.Click("#code")
			p.Type(access.Code(key, access.Step(o.clock())))
			p.Follow(func() { p.Press("Enter") })
			look("recovery")
			p.Follow(func() { p.Click(".acts a") })
			if got := p.URL(); got != o.base+"/" {
				t.Fatalf("after the recovery codes: %s\n%s", got, p.Text())
			}
			p.Go(o.base + "/users")
			look("users")
			p.Go(o.base + "/users/megumi")
			look("user")
			p.Go(o.base + "/audit")
			look("audit")
			p.Go(o.base + "/audit/verify")
			look("verify")
			p.Go(o.base + "/account")
			look("account")
			p.Click("#tname")
			p.Type("nightly report")
			p.Follow(func() { p.Press("Enter") })
			if got := p.Text(); !strings.Contains(got, "cr_") {
				t.Errorf("no token on\n%s", got)
			}
			look("account_token")

			p.Go(o.base + "/users")
			p.Follow(func() { p.Click(`form[action^="/users/megumi/sessions/"] button`) })
			o.cookie = elsewhere.session
			if got := o.show("/jobs", "en"); got.code != 303 {
				t.Errorf("the session that was ended opens pages: status %d", got.code)
			}

			p.Click(".me summary")
			p.Follow(func() { p.Click(`form[action="/logout"] button`) })
			o.wait(time.Minute)
			o.sign(p, "boss")
			if got := p.URL(); got != o.base+"/login/code" {
				t.Fatalf("the password leads to %s", got)
			}
			look("code")
			p.Type(access.Code(key, access.Step(o.clock()))) // the field has the focus
			p.Follow(func() { p.Press("Enter") })
			if got := p.URL(); got != o.base+"/" {
				t.Fatalf("the code leads to %s\n%s", got, p.Text())
			}
			p.Click(".me summary")
			p.Follow(func() { p.Click(`form[action="/logout"] button`) })

			o.sign(p, "ken")
			if got := p.URL(); got != o.base+"/companies/acme" {
				t.Fatalf("the recruiter comes to %s", got)
			}
			look("recruiter_company")
			for name, path := range map[string]string{"recruiter_applications": "/applications", "recruiter_mails": "/mails", "recruiter_application": "/applications/" + o.app("48213377").ID, "recruiter_mail": "/mails/" + o.mailOf("48213390").ID} {
				p.Go(o.base + path)
				look(name)
				if got := p.Text(); strings.Contains(got, "Northwind") || strings.Contains(got, "ほしぞら") || strings.Contains(got, "Hoshizora") || strings.Contains(got, "リンクス") || strings.Contains(got, "Links Jinzai") {
					t.Errorf("%s shows another company:\n%s", name, got)
				}
			}
			p.Go(o.base + "/companies/northwind")
			look("recruiter_elsewhere")
			p.Go(o.base + "/jobs")
			look("recruiter_refused")
		})
	}
}

// contrast counts the texts on the page that stand out less than WCAG AA wants:
// 4.5 to 1, or 3 to 1 when they are large.
const contrast = `(() => {
	const rgb = s => s.match(/[\d.]+/g).map(Number);
	const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
	let pale = 0;
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
		const style = getComputedStyle(e), a = light(rgb(style.color).slice(0, 3)), b = light(ground(e).slice(0, 3));
		const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
		if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < (large ? 3 : 4.5)) pale++;
	}
	return pale;
})()`

func secretOf(text string) ([]byte, error) {
	return base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimSpace(text))
}
