package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/web"
)

func TestReadiness(t *testing.T) {
	for name, tt := range map[string]struct {
		problems []web.Problem
		code     int
		body     string
	}{
		"all is well":      {nil, http.StatusOK, `{"problems":[],"ready":true}`},
		"redis is away":    {[]web.Problem{{Name: "redis", Text: "dial 10.0.0.1"}}, http.StatusOK, `{"problems":["redis"],"ready":true}`},
		"database is away": {[]web.Problem{{Name: "database", Text: "secret", Fatal: true}, {Name: "redis"}}, http.StatusServiceUnavailable, `{"problems":["database","redis"],"ready":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(s *site) {
				s.deps.Ready = func(context.Context) []web.Problem { return tt.problems }
				s.deps.Desk, s.deps.Accounts, s.deps.Metrics = s.store, s.store, web.NewMetrics("test")
			})
			if got := s.get("/readyz"); got.code != tt.code || got.body != tt.body {
				t.Errorf("%d %s, want %d %s", got.code, got.body, tt.code, tt.body)
			}
			// A process that only works has no other door to ask at.
			got := httptest.NewRecorder()
			web.Ops(s.deps).ServeHTTP(got, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
			if got.Code != tt.code || got.Body.String() != tt.body {
				t.Errorf("operations: %d %s, want %d %s", got.Code, got.Body, tt.code, tt.body)
			}
			if got := s.get("/healthz"); got.code != http.StatusOK {
				t.Errorf("healthz: status %d, want 200 whatever else is wrong", got.code)
			}
		})
	}
}

func TestStaticFiles(t *testing.T) {
	s := newSite(t)
	html := s.get("/").body
	links := regexp.MustCompile(`href="(/static/[^"]+)"`).FindAllStringSubmatch(html, -1)
	if len(links) != 2 {
		t.Fatalf("%d static files on the page, want 2", len(links))
	}
	for _, link := range links {
		got := s.get(link[1])
		if got.code != http.StatusOK || len(got.body) < 100 || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: status %d, %d bytes, %s", link[1], got.code, len(got.body), got.header.Get("Cache-Control"))
		}
		r := s.request(http.MethodGet, link[1], "")
		r.Header.Set("If-None-Match", got.header.Get("ETag"))
		if again := s.do(r); again.code != http.StatusNotModified || again.body != "" {
			t.Errorf("%s again: status %d, want 304", link[1], again.code)
		}
		bare, _, _ := strings.Cut(link[1], "?")
		if old := s.get(bare + "?v=old"); old.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s with an old hash may be cached for good", bare)
		}
	}
	for _, path := range []string{"/static/words.json", "/static/console.css", "/static/", "/static/../web.go"} {
		if got := s.get(path); got.code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, got.code)
		}
	}
}

func TestRobotsAreSentAway(t *testing.T) {
	s := newSite(t)
	if got := s.get("/robots.txt"); got.body != "User-agent: *\nDisallow: /\n" {
		t.Errorf("robots.txt says %q", got.body)
	}
}

func TestEveryLinkOnEveryPageWorks(t *testing.T) {
	s := newSite(t)
	j := s.journey()
	seen := map[string]bool{}
	queue := []string{"/r/" + j.relay, "/r/" + j.confirm, "/r/" + j.confirmed, "/r/" + j.my, "/u/" + j.stop, "/"}
	href := regexp.MustCompile(`<a [^>]*href="([^"]+)"`)
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		got := s.get(path)
		if got.code != http.StatusOK {
			t.Errorf("%s: status %d", fixed(path), got.code)
		}
		for _, link := range href.FindAllStringSubmatch(got.body, -1) {
			to := link[1]
			switch {
			case strings.HasPrefix(to, "?"):
				base, _, _ := strings.Cut(path, "?")
				queue = append(queue, base+to)
			case strings.HasPrefix(to, "/"):
				queue = append(queue, to)
			case strings.HasPrefix(to, "#"):
				if !strings.Contains(got.body, `id="`+to[1:]+`"`) {
					t.Errorf("%s leads to %s, which does not exist", fixed(path), to)
				}
			case to != s.shared.Operator.Privacy:
				t.Errorf("%s leads to %s", fixed(path), to)
			}
		}
	}
	if len(seen) < 15 {
		t.Errorf("only %d pages found", len(seen))
	}
}

func TestHeadIsAnsweredLikeGet(t *testing.T) {
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink})[0]
	for _, path := range []string{"/", "/healthz", "/readyz", "/robots.txt", "/static/candidate.css", "/r/" + token} {
		if got := s.do(s.request(http.MethodHead, path, "")); got.code != http.StatusOK || got.body != "" {
			t.Errorf("%s: status %d, %d bytes; want 200 without a body", fixed(path), got.code, len(got.body))
		}
	}
}

func TestOtherMethods(t *testing.T) {
	s := newSite(t)
	token := s.invite(record.Link{Kind: record.RelayLink})[0]
	for _, path := range []string{"/r/" + token, "/r/" + token + "/register", "/u/" + token, "/hooks/acme/greenhouse"} {
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch} {
			if got := s.do(s.request(method, path, "")); got.code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: status %d, want 405", method, fixed(path), got.code)
			}
		}
	}
}
