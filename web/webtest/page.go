package webtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A Device is what a page is looked at with.
type Device struct {
	Width, Height int  // of the window; 1280 × 900 when zero
	Dark          bool // the person prefers dark colours
	NoScript      bool // scripts do not run
	Lang          string
}

// A Page is one tab with cookies of its own. Everything that goes wrong fails
// the test.
type Page struct {
	t       testing.TB
	b       *Browser
	session string
	loads   chan struct{}
}

// Page opens a tab.
func (b *Browser) Page(tb testing.TB, d Device) *Page {
	tb.Helper()
	var private struct{ BrowserContextID string }
	check(tb, b.call("", "Target.createBrowserContext", map[string]any{"disposeOnDetach": true}, &private))
	var target struct{ TargetID string }
	check(tb, b.call("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": private.BrowserContextID}, &target))
	var attached struct{ SessionID string }
	check(tb, b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached))
	p := &Page{t: tb, b: b, session: attached.SessionID, loads: make(chan struct{}, 64)}
	b.mu.Lock()
	b.loads[p.session] = p.loads
	b.mu.Unlock()
	tb.Cleanup(func() {
		_ = b.call("", "Target.disposeBrowserContext", map[string]any{"browserContextId": private.BrowserContextID}, nil) // gone with the browser at the latest
	})
	p.do("Page.enable", nil, nil)
	p.Resize(d.Width, d.Height)
	if d.Dark {
		p.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}}, nil)
	}
	if d.NoScript {
		p.do("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	}
	if d.Lang != "" {
		p.do("Network.enable", nil, nil)
		p.do("Network.setExtraHTTPHeaders", map[string]any{"headers": map[string]string{"Accept-Language": d.Lang}}, nil)
	}
	return p
}

func (p *Page) do(method string, params, v any) {
	p.t.Helper()
	check(p.t, p.b.call(p.session, method, params, v))
}

// Resize changes the size of the window.
func (p *Page) Resize(width, height int) {
	p.t.Helper()
	if width == 0 {
		width = 1280
	}
	if height == 0 {
		height = 900
	}
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Go opens an address and waits until it is loaded.
func (p *Page) Go(url string) {
	p.t.Helper()
	p.Follow(func() {
		p.t.Helper()
		var r struct{ ErrorText string }
		p.do("Page.navigate", map[string]any{"url": url}, &r)
		if r.ErrorText != "" {
			p.t.Fatalf("opening %s: %s", url, r.ErrorText)
		}
	})
}

// Follow does something that opens another page, and waits until that is
// loaded.
func (p *Page) Follow(deed func()) {
	p.t.Helper()
	for len(p.loads) > 0 {
		<-p.loads
	}
	deed()
	select {
	case <-p.loads:
	case <-time.After(patience):
		p.t.Fatalf("no page was loaded; still at %s", p.URL())
	}
}

// Eval returns the value of an expression in the page; it works where scripts
// of the page are off, too.
func (p *Page) Eval(expression string, v any) {
	p.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Text string }
	}
	p.do("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &r)
	if r.ExceptionDetails != nil {
		p.t.Fatalf("%s: %s", expression, r.ExceptionDetails.Text)
	}
	if v == nil || len(r.Result.Value) == 0 {
		return
	}
	check(p.t, json.Unmarshal(r.Result.Value, v))
}

// Await waits until an expression is true in the page.
func (p *Page) Await(expression string) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var done bool
		p.Eval("!!("+expression+")", &done)
		if done {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s is never true on %s", expression, p.URL())
		}
	}
}

func (p *Page) text(expression string) string {
	p.t.Helper()
	var s string
	p.Eval(expression, &s)
	return s
}

// URL is the address of the page.
func (p *Page) URL() string { p.t.Helper(); return p.text(`location.href`) }

// Text is what a person reads on the page.
func (p *Page) Text() string { p.t.Helper(); return p.text(`document.body.innerText`) }

// HTML is the document as it stands now.
func (p *Page) HTML() string { p.t.Helper(); return p.text(`document.documentElement.outerHTML`) }

// Overflow is by how many pixels the page is wider than the window.
func (p *Page) Overflow() int {
	p.t.Helper()
	var n int
	p.Eval(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &n)
	return n
}

// Focused names the element that has the focus: its id, name or words.
func (p *Page) Focused() string {
	p.t.Helper()
	return p.text(`(e => !e || e === document.body ? "" : e.id || e.name || e.innerText.trim())(document.activeElement)`)
}

// Small lists the controls that are smaller than size pixels in both directions
// or in one of them. Links within a sentence are spared, as WCAG 2.5.8 does.
func (p *Page) Small(size int) []string {
	p.t.Helper()
	var found []string
	p.Eval(fmt.Sprintf(`[...document.querySelectorAll("button, input:not([type=hidden]), select, textarea, summary, a.btn")]
		.map(e => [e.closest("label") || e, e]).filter(([box]) => { const r = box.getBoundingClientRect(); return r.width && (r.width < %[1]d || r.height < %[1]d) })
		.map(([, e]) => e.id || e.name || e.innerText)`, size), &found)
	return found
}

// Click presses the mouse on the element that a selector finds.
func (p *Page) Click(selector string) {
	p.t.Helper()
	quoted, err := json.Marshal(selector)
	check(p.t, err)
	var at []float64
	p.Eval(`(e => { if (!e) return null; e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })(document.querySelector(`+string(quoted)+`))`, &at)
	if len(at) != 2 {
		p.t.Fatalf("nothing to click at %s on %s", selector, p.URL())
	}
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		p.do("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1}, nil)
	}
}

// Type writes text where the focus is.
func (p *Page) Type(text string) {
	p.t.Helper()
	p.do("Input.insertText", map[string]any{"text": text}, nil)
}

// keys are the keys that Press knows, with their codes.
var keys = map[string]struct {
	code int
	text string
}{
	"Tab": {9, ""}, "Enter": {13, "\r"}, "Space": {32, " "}, "Escape": {27, ""}, "Backspace": {8, ""},
	"ArrowDown": {40, ""}, "ArrowUp": {38, ""}, "ArrowLeft": {37, ""}, "ArrowRight": {39, ""},
	"Home": {36, ""}, "End": {35, ""}, "/": {191, "/"},
}

// Press presses keys one after another: "Tab", "Shift+Tab", "Enter", "Space", a
// single letter.
func (p *Page) Press(names ...string) {
	p.t.Helper()
	for _, name := range names {
		key, shifted := strings.CutPrefix(name, "Shift+")
		k, ok := keys[key]
		if !ok && len(key) == 1 {
			k.code, k.text, ok = int(strings.ToUpper(key)[0]), key, true
		}
		if !ok {
			p.t.Fatalf("no key %s", name)
		}
		modifiers := 0
		if shifted {
			modifiers = 8
		}
		if key == "Space" {
			key = " "
		}
		down := map[string]any{"type": "keyDown", "key": key, "code": name, "windowsVirtualKeyCode": k.code, "modifiers": modifiers}
		if k.text != "" {
			down["text"] = k.text
		}
		p.do("Input.dispatchKeyEvent", down, nil)
		p.do("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": name, "windowsVirtualKeyCode": k.code, "modifiers": modifiers}, nil)
	}
}

// Screenshot writes a picture of the whole page as PNG.
func (p *Page) Screenshot(path string) {
	p.t.Helper()
	var shot struct{ Data string }
	p.do("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	check(p.t, err)
	check(p.t, os.MkdirAll(filepath.Dir(path), 0o750))
	check(p.t, os.WriteFile(path, png, 0o600))
}

// Choose gives a file of this machine to a field for files, as a person does in
// the window that it opens.
func (p *Page) Choose(selector, path string) {
	p.t.Helper()
	var document struct{ Root struct{ NodeID int } }
	p.do("DOM.getDocument", map[string]any{}, &document)
	var field struct{ NodeID int }
	p.do("DOM.querySelector", map[string]any{"nodeId": document.Root.NodeID, "selector": selector}, &field)
	if field.NodeID == 0 {
		p.t.Fatalf("no field for files at %s on %s", selector, p.URL())
	}
	p.do("DOM.setFileInputFiles", map[string]any{"nodeId": field.NodeID, "files": []string{path}}, nil)
}

// Select sets the answer of a select, also where the page has no script.
func (p *Page) Select(selector, value string) {
	p.t.Helper()
	quoted, err := json.Marshal([]string{selector, value})
	check(p.t, err)
	var found bool
	p.Eval(`(([s, v]) => { const e = document.querySelector(s); if (e) e.value = v; return !!e && e.value === v })(`+string(quoted)+`)`, &found)
	if !found {
		p.t.Fatalf("no answer %s at %s on %s", value, selector, p.URL())
	}
}
