// Package webtest opens pages in a real browser.
package webtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// patience is how long the browser may take for one thing.
const patience = time.Minute

// A Browser is a headless Chromium, spoken to through a pipe in the DevTools
// protocol.
type Browser struct {
	cmd  *exec.Cmd
	send *os.File

	mu      sync.Mutex
	last    int
	replies map[int]chan message
	loads   map[string]chan struct{} // by session: a page was loaded
	gone    error
}

// A message is a reply or an event. The names of its parts are the protocol's,
// whatever their case.
type message struct {
	ID        int
	SessionID string
	Method    string
	Result    json.RawMessage
	Error     *struct{ Message string }
}

// programs are the names under which Chromium is installed.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// Find returns the path of a Chromium. Without one the test is skipped, or
// fails where CI is set; a fast run (go test -short) skips too.
func Find(tb testing.TB) string {
	tb.Helper()
	if testing.Short() {
		tb.Skip("a fast run opens no browser")
	}
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		tb.Fatal("no Chromium is installed; make deps installs one")
	}
	tb.Skip("NO BROWSER: nothing of this test was checked; make deps installs Chromium")
	return ""
}

// Open starts a browser with a profile of its own, which ends with the test.
func Open(tb testing.TB) *Browser {
	tb.Helper()
	path := Find(tb)
	theirIn, ourOut, err := os.Pipe()
	check(tb, err)
	ourIn, theirOut, err := os.Pipe()
	check(tb, err)
	profile, err := os.MkdirTemp("", "browser") //nolint:usetesting // its processes may outlive the test by a moment
	check(tb, err)
	b := &Browser{send: ourOut, replies: map[int]chan message{}, loads: map[string]chan struct{}{}}
	b.cmd = exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--hide-scrollbars", "--font-render-hinting=none", "--lang=ja", "--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	b.cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	check(tb, b.cmd.Start())
	check(tb, errors.Join(theirIn.Close(), theirOut.Close()))
	done := make(chan struct{})
	go func() {
		b.listen(ourIn)
		close(done)
	}()
	tb.Cleanup(func() {
		_ = b.call("", "Browser.close", nil, nil) // a browser that is gone already cannot answer
		wait := time.AfterFunc(10*time.Second, func() { _ = b.cmd.Process.Kill() })
		_ = b.cmd.Wait() // the exit code tells nothing
		wait.Stop()
		<-done
		_ = ourOut.Close()
		_ = ourIn.Close()
		_ = os.RemoveAll(profile)
	})
	return b
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// listen hands replies and events to whoever waits for them.
func (b *Browser) listen(from *os.File) {
	in := bufio.NewReaderSize(from, 1<<20)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			b.fail(fmt.Errorf("the browser is gone: %w", err))
			return
		}
		var m message
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			b.fail(fmt.Errorf("reading from the browser: %w", err))
			return
		}
		b.mu.Lock()
		waiting, loads := b.replies[m.ID], b.loads[m.SessionID]
		delete(b.replies, m.ID)
		b.mu.Unlock()
		switch {
		case waiting != nil:
			waiting <- m
		case m.Method == "Page.loadEventFired" && loads != nil:
			select {
			case loads <- struct{}{}:
			default: // nobody waits for that many
			}
		}
	}
}

func (b *Browser) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = err
	for id, waiting := range b.replies {
		close(waiting)
		delete(b.replies, id)
	}
}

// call sends one command and decodes its result into v.
func (b *Browser) call(session, method string, params, v any) error {
	answer := make(chan message, 1)
	b.mu.Lock()
	if b.gone != nil {
		b.mu.Unlock()
		return b.gone
	}
	b.last++
	id := b.last
	b.replies[id] = answer
	b.mu.Unlock()
	command := map[string]any{"id": id, "method": method}
	if session != "" {
		command["sessionId"] = session
	}
	if params != nil {
		command["params"] = params
	}
	text, err := json.Marshal(command)
	if err != nil {
		return err
	}
	if _, err := b.send.Write(append(text, 0)); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m, ok := <-answer:
		switch {
		case !ok:
			return fmt.Errorf("%s: %w", method, b.gone)
		case m.Error != nil:
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		case v == nil:
			return nil
		}
		return json.Unmarshal(m.Result, v)
	case <-time.After(patience):
		return fmt.Errorf("%s: no answer in %s", method, patience)
	}
}
