package configs

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/career-relay/connector/ats"
)

// Options says where the files are. Every field but Validate is required.
type Options struct {
	Dir    string
	Lookup func(name string) (string, bool) // of environment variables
	Now    func() time.Time
	Log    *slog.Logger
	// Validate opens a company's connections and reports what is wrong with
	// them; may be nil. Each line of its error should begin with the path of a
	// key, such as "connections.greenhouse: ", unless it comes from Decode. It
	// is also called with what could be read of a file with other problems.
	Validate func(*Company) error
}

// A Status says which file of a company is in force, and what is wrong with a newer one.
type Status struct {
	Company   string    `json:"company"`
	File      string    `json:"file"`
	Hash      string    `json:"hash"`       // of the content in force, without its secrets; "" when there is none
	AppliedAt time.Time `json:"applied_at"` // zero when nothing is in force
	// Generation is the number of the change that put it into force, counted over
	// all files since the process started.
	Generation int `json:"generation"`
	// Changes are what that change did to the settings; none for the first
	// content of a process.
	Changes []Change `json:"changes,omitempty"`
	Errors  []string `json:"errors"` // of the newest content, each with file:line
}

// Tenants are the companies in force. It may be used concurrently.
type Tenants struct {
	options Options
	now     atomic.Pointer[snapshot]

	mu      sync.Mutex // of a reload
	entries map[string]*entry
	shared  sharedEntry
	away    string // why the folder cannot be read
}

// An entry is a company's file.
type entry struct {
	status  Status
	seen    string   // seal of the newest content and of what is shared
	applied string   // seal of the content in force
	company *Company // nil when none is in force
	values  []Value  // of the company in force
	missing int      // reloads in a row that did not find the file
}

// A sharedEntry is the shared files.
type sharedEntry struct {
	status  Status
	seen    string
	applied string
	shared  *Shared
	files   []string // in force
}

// A snapshot is what readers see. It is never changed, only replaced.
type snapshot struct {
	generation   int
	companies    map[string]*Company
	list         []*Company
	values       map[string][]Value
	status       []Status
	shared       *Shared
	sharedStatus Status
}

// Open loads every file. A broken company is left out and reported by Status; only a
// broken folder is an error.
func Open(o Options) (*Tenants, error) {
	t := &Tenants{options: o, entries: map[string]*entry{}}
	t.now.Store(&snapshot{})
	if _, err := t.reload(); err != nil {
		return nil, ats.Errorf(ats.Invalid, "reading the folder %s: %w", o.Dir, err)
	}
	return t, nil
}

// Reload reads what changed since the last load, by content hash. It returns the ids of the
// companies that were replaced or removed, and "relay" when the shared files were.
func (t *Tenants) Reload() (changed []string) {
	changed, _ = t.reload() // a folder that is away shows in SharedStatus
	return changed
}

// Watch reloads every so often until ctx ends, and calls onChange with what changed.
func (t *Tenants) Watch(ctx context.Context, every time.Duration, onChange func(changed []string)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if changed := t.Reload(); len(changed) > 0 {
				onChange(changed)
			}
		}
	}
}

// Generation counts the changes that were applied.
func (t *Tenants) Generation() int { return t.now.Load().generation }

// Company returns a company in force.
func (t *Tenants) Company(id string) (*Company, error) {
	if c, ok := t.now.Load().companies[id]; ok {
		return c, nil
	}
	return nil, ats.Errorf(ats.NotFound, "no company %s", id)
}

// Companies lists the companies in force by id.
func (t *Tenants) Companies() []*Company { return slices.Clone(t.now.Load().list) }

// Shared returns what all companies share.
func (t *Tenants) Shared() *Shared { return t.now.Load().shared }

// Status lists every company file, also the broken ones.
func (t *Tenants) Status() []Status { return slices.Clone(t.now.Load().status) }

// SharedStatus is the status of what belongs to no company: relay.yaml, the texts and the folder itself.
func (t *Tenants) SharedStatus() Status { return t.now.Load().sharedStatus }

func (t *Tenants) reload() (changed []string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	files, err := os.ReadDir(t.options.Dir)
	if err != nil {
		if t.away == "" {
			t.options.Log.Error("configuration folder unreadable, nothing changes", "folder", t.options.Dir, "err", withoutPath(err))
		}
		t.away = filepath.ToSlash(t.options.Dir) + ": " + withoutPath(err).Error() + "; what was read before stays in force"
		t.publish(0)
		return nil, err
	}
	t.away = ""
	if t.loadShared() {
		changed = append(changed, strings.TrimSuffix(sharedName, ".yaml"))
		t.publish(1)
	}
	found := map[string]bool{}
	for _, e := range files {
		name := e.Name()
		id, ok := strings.CutSuffix(name, ".yaml")
		if strings.HasSuffix(name, ".yml") { // would be overlooked for ever
			id, ok = name, true
		}
		if !ok || name == sharedName || strings.HasPrefix(name, ".") {
			continue
		}
		found[id] = true
		if t.load(id, name) {
			changed = append(changed, id)
			t.publish(1)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t.entries)) {
		if !found[id] && t.miss(id) {
			changed = append(changed, id)
			t.publish(1)
		}
	}
	t.publish(0)
	return changed, nil
}

// load reads the file of one company and puts it into force if it is new and
// good.
func (t *Tenants) load(id, name string) (applied bool) {
	path := filepath.Join(t.options.Dir, name)
	e := t.entries[id]
	if e == nil {
		e = &entry{status: Status{Company: id, File: filepath.ToSlash(path)}}
		t.entries[id] = e
	}
	s, err := readCompany(path, t.options.Lookup)
	if errors.Is(err, fs.ErrNotExist) { // gone since the folder was read
		return t.miss(id)
	}
	if e.missing > 0 {
		e.missing, e.seen = 0, ""
	}
	if id == name {
		s.fault(nil, "", "rename it to %s.yaml; this file is not read", strings.TrimSuffix(id, ".yml"))
	}
	sealed := seal([]*file{s.file}, s.folders)
	if e.seen == sealed+t.shared.seen {
		return false
	}
	e.seen = sealed + t.shared.seen
	company := s.company(t.shared.shared.Recipients, t.options.Validate)
	e.status.Errors = sentences(s.problems)
	switch {
	case len(s.problems) > 0:
		t.options.Log.Error("company file refused", "company", id, "problems", e.status.Errors, "in_force", e.company != nil)
		return false
	case e.applied == sealed: // what is in force is good again
		return false
	}
	values := s.effective()
	if e.company != nil {
		e.status.Changes = changes(e.values, values)
	}
	e.company, e.values, e.applied = company, values, sealed
	e.status.Generation = t.now.Load().generation + 1
	e.status.Hash, e.status.AppliedAt = hash([]*file{s.file}, s.folders), t.options.Now()
	t.options.Log.Info("company file applied", "company", id, "hash", e.status.Hash)
	return true
}

// miss notes that the file of a company was not found. A file may be away for a
// moment, while another program replaces it.
func (t *Tenants) miss(id string) (removed bool) {
	e := t.entries[id]
	if e.missing++; e.missing > 1 || e.company == nil {
		delete(t.entries, id)
		t.options.Log.Warn("company removed with its file", "company", id)
		return e.company != nil
	}
	e.status.Errors = []string{e.status.File + ": the file is gone; the company is removed if it is still gone at the next reload"}
	t.options.Log.Warn("company file is gone", "company", id)
	return false
}

// loadShared reads the shared files. At the start what is good of them is put
// into force; later only what is good altogether, and a file that is gone stays.
func (t *Tenants) loadShared() (applied bool) {
	e := &t.shared
	start := e.shared == nil
	if start {
		e.shared, e.status.File = &Shared{}, filepath.ToSlash(filepath.Join(t.options.Dir, sharedName))
	}
	s := readShared(t.options.Dir, t.options.Lookup, e.shared.Texts)
	sealed := seal(s.files, nil)
	if e.seen == sealed {
		return false
	}
	e.seen = sealed
	var names []string
	var problems []problem
	for _, f := range s.files {
		names = append(names, f.name)
		problems = append(problems, f.problems...)
	}
	for _, name := range e.files {
		if !slices.Contains(names, name) {
			problems = append(problems, problem{file: name, text: "the file is gone; what was in it stays in force"})
		}
	}
	e.status.Errors = sentences(problems)
	if len(problems) > 0 {
		t.options.Log.Error("shared files refused", "problems", e.status.Errors, "in_force", !start)
	}
	if !start && (len(problems) > 0 || e.applied == sealed) {
		return false
	}
	e.shared, e.applied, e.files = s.shared, sealed, names
	e.status.Hash, e.status.AppliedAt = hash(s.files, nil), t.options.Now()
	return true
}

// publish shows readers what the entries are now.
func (t *Tenants) publish(changes int) {
	s := &snapshot{
		generation: t.now.Load().generation + changes, companies: map[string]*Company{}, values: map[string][]Value{},
		shared: t.shared.shared, sharedStatus: t.shared.status,
	}
	if t.away != "" {
		s.sharedStatus.Errors = append(slices.Clone(s.sharedStatus.Errors), t.away)
	}
	for _, id := range slices.Sorted(maps.Keys(t.entries)) {
		e := t.entries[id]
		s.status = append(s.status, e.status)
		if e.company != nil {
			s.companies[id], s.values[id] = e.company, e.values
			s.list = append(s.list, e.company)
		}
	}
	t.now.Store(s)
}
