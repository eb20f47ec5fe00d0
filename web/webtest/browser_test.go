package webtest_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/career-relay/connector/web/webtest"
)

const page = `<!doctype html><html lang="en"><title>t</title><body style="margin:0">
<a id="skip" href="#main">skip</a><form method="post" action="/done"><input id="name" name="name"><button>go</button></form>
<p id="main" style="width:500px">wide</p><script>document.title = "scripted"</script></body></html>`

func serve(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(page)) })
	mux.HandleFunc("POST /done", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("<!doctype html><p id=said>" + r.PostFormValue("name") + "</p>"))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func TestKeyboardAloneSendsAForm(t *testing.T) {
	b := webtest.Open(t)
	p := b.Page(t, webtest.Device{NoScript: true})
	p.Go(serve(t))
	p.Press("Tab")
	if got := p.Focused(); got != "skip" {
		t.Fatalf("first stop is %q, want skip", got)
	}
	p.Press("Tab")
	p.Type("髙橋")
	p.Press("Tab")
	p.Follow(func() { p.Press("Enter") })
	if got := p.Text(); got != "髙橋" {
		t.Errorf("page says %q, want what was typed", got)
	}
}

func TestDevicesDiffer(t *testing.T) {
	b, url := webtest.Open(t), serve(t)
	for name, tt := range map[string]struct {
		device   webtest.Device
		title    string
		overflow int
	}{
		"scripts run":              {webtest.Device{Width: 600}, "scripted", 0},
		"scripts are switched off": {webtest.Device{Width: 600, NoScript: true}, "t", 0},
		"the window is too narrow": {webtest.Device{Width: 320}, "scripted", 180},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.Page(t, tt.device)
			p.Go(url)
			var title string
			p.Eval("document.title", &title)
			if title != tt.title {
				t.Errorf("title is %q, want %q", title, tt.title)
			}
			if got := p.Overflow(); got != tt.overflow {
				t.Errorf("overflow is %d, want %d", got, tt.overflow)
			}
			p.Screenshot(filepath.Join(t.TempDir(), "shot.png"))
		})
	}
}
