package configs_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/career-relay/connector/configs"
)

// A folder is a folder of company files under test, with its environment.
type folder struct {
	t    testing.TB
	dir  string
	mu   sync.Mutex
	env  map[string]string
	open configs.Options
}

// newFolder holds relay.yaml with one recipient and nothing else.
func newFolder(tb testing.TB) *folder {
	tb.Helper()
	f := &folder{t: tb, dir: tb.TempDir(), env: map[string]string{"HOOK": "hook-secret-1", "NET": "whsec_bmV0d29yay1uZXR3b3JrLW5ldHdvcmstbmV0d29yay0x"}}
	f.open = configs.Options{
		Dir: f.dir, Lookup: f.lookup, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC) },
	}
	f.write("relay.yaml", sharedText)
	return f
}

func (f *folder) lookup(name string) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.env[name]
	return v, ok
}

func (f *folder) set(name, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.env[name] = value
}

func (f *folder) write(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) remove(name string) {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) tenants() *configs.Tenants {
	f.t.Helper()
	tenants, err := configs.Open(f.open)
	if err != nil {
		f.t.Fatal(err)
	}
	return tenants
}

// status returns the status of a company, with the folder's own path cut off.
func (f *folder) status(tenants *configs.Tenants, id string) configs.Status {
	f.t.Helper()
	for _, s := range tenants.Status() {
		if s.Company == id {
			return f.short(s)
		}
	}
	f.t.Fatalf("no status of %s in %v", id, tenants.Status())
	return configs.Status{}
}

func (f *folder) short(s configs.Status) configs.Status {
	errs := s.Errors
	s.Errors = nil
	for _, e := range errs {
		s.Errors = append(s.Errors, strings.ReplaceAll(e, filepath.ToSlash(f.dir)+"/", ""))
	}
	s.File = strings.ReplaceAll(s.File, filepath.ToSlash(f.dir)+"/", "")
	return s
}

const sharedText = `operator:
  name: {ja: 運営者}
  contact: privacy@example.jp
  address: 東京都
  privacy: https://example.jp/privacy
recipients:
  network:
    name: {ja: ネットワーク}
    url: https://network.example.jp/
    secrets: [env:NET]
    licence: 13-ユ-000000
    address: 東京都
    representative: 例山
    contact: desk@example.jp
`

// acmeText is a small good file; line numbers in the tests are its own.
const acmeText = `company: acme
name: {ja: 株式会社アクメ}
connections:
  ats:
    vendor: generic
    secrets: [env:HOOK]
mail:
  from: {address: saiyo@acme.example.jp, name: 採用}
  sender: {name: アクメ, address: 東京都, contact: saiyo@acme.example.jp}
sending:
  mode: live
  delay: 24h
relay:
  mode: link
  recipients: [network]
`
