package api_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
)

// A list is what a vendor's pages would hold.
type list struct {
	pages int
	fail  map[int]error // by the number of the call
	calls int
	seen  []string // pages that were asked for, with since
	now   time.Time
}

func (l *list) read(_ context.Context, s api.Sweep) ([]connectors.Payload, string, error) {
	l.calls++
	l.seen = append(l.seen, s.Since.Format("04:05")+"/"+s.Page)
	if err := l.fail[l.calls]; err != nil {
		return nil, "", err
	}
	n := 1
	if s.Page != "" {
		_, _ = fmt.Sscan(s.Page, &n)
	}
	news := []connectors.Payload{s.Payload(fmt.Appendf(nil, `%d`, n), time.Time{}, l.now)}
	if n == l.pages {
		return news, "", nil
	}
	return news, strconv.Itoa(n + 1), nil
}

func (l *list) poll(t *testing.T, cursor string) (int, string, error) {
	t.Helper()
	news, next, err := api.Swept(t.Context(), cursor, l.now, 5*time.Minute, l.read)
	return len(news), next, err
}

func TestSwept(t *testing.T) {
	l := &list{pages: 3, now: now}
	n, cursor, err := l.poll(t, "")
	if n != 0 || err != nil || l.calls != 0 {
		t.Fatalf("the first time: got %d, %v after %d calls, want nothing without a call", n, err, l.calls)
	}
	l.now = now.Add(time.Hour)
	if n, cursor, err = l.poll(t, cursor); n != 3 || err != nil {
		t.Fatalf("got %d, %v, want all three pages", n, err)
	}
	l.now = now.Add(2 * time.Hour)
	if n, _, err = l.poll(t, cursor); n != 3 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if got, want := strings.Join(l.seen, " "), "00:00/ 00:00/2 00:00/3 55:00/ 55:00/2 55:00/3"; got != want {
		t.Errorf("got %s, want %s: a sweep begins before the last one did", got, want)
	}
}

// TestSweptGoesOn breaks a sweep off and takes it up again.
func TestSweptGoesOn(t *testing.T) {
	for name, tt := range map[string]struct {
		pages int
		fail  map[int]error
		polls []int // payloads of each poll until the end
		fault ats.Fault
	}{
		"the vendor is busy":                   {3, map[int]error{2: ats.BusyFor(time.Minute, "later")}, []int{1, 2}, ats.Busy},
		"more pages than one call reads":       {85, nil, []int{40, 40, 5}, ""},
		"the page is no longer known":          {3, map[int]error{2: ats.Errorf(ats.Busy, "x"), 3: ats.Errorf(ats.Invalid, "no such page")}, []int{1, 3}, ats.Busy},
		"the first page is refused":            {3, map[int]error{1: ats.Errorf(ats.Invalid, "bad")}, []int{0, 3}, ats.Invalid},
		"a later page of the call is refused":  {3, map[int]error{2: ats.Errorf(ats.Invalid, "bad")}, []int{1, 2}, ats.Invalid},
		"the key is refused in the middle":     {3, map[int]error{3: ats.Errorf(ats.Denied, "401")}, []int{2, 1}, ats.Denied},
		"it breaks twice at the same position": {3, map[int]error{2: ats.Errorf(ats.Busy, "x"), 3: ats.Errorf(ats.Busy, "x")}, []int{1, 0, 2}, ats.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			l := &list{pages: tt.pages, now: now, fail: tt.fail}
			_, cursor, _ := l.poll(t, "")
			for i, want := range tt.polls {
				var n int
				var err error
				n, cursor, err = l.poll(t, cursor)
				if more := (api.Sweeping{}).More(cursor); more != (i < len(tt.polls)-1) {
					t.Fatalf("poll %d: more %t: %s", i+1, more, cursor)
				}
				if n != want || i == 0 && ats.FaultOf(err) != tt.fault || i == len(tt.polls)-1 && err != nil {
					t.Fatalf("poll %d: got %d, %v, want %d", i+1, n, err, want)
				}
			}
		})
	}
}

func TestSweptEndless(t *testing.T) {
	for name, tt := range map[string]struct {
		read  api.Pager
		fault ats.Fault
	}{
		"the same page again": {func(context.Context, api.Sweep) ([]connectors.Payload, string, error) { return nil, "2", nil }, ats.Invalid},
		"pages without end": {func(_ context.Context, s api.Sweep) ([]connectors.Payload, string, error) {
			return nil, strconv.Itoa(s.Read + 2), nil
		}, ats.TooLarge},
	} {
		_, cursor, err := api.Swept(t.Context(), "", now, 0, tt.read)
		polls := 0
		for ; err == nil && polls < 100; polls++ {
			_, cursor, err = api.Swept(t.Context(), cursor, now, 0, tt.read)
		}
		if ats.FaultOf(err) != tt.fault || strings.Contains(cursor, "page") {
			t.Errorf("%s: got %v after %d polls and the cursor %s, want %s and a fresh start", name, err, polls, cursor, tt.fault)
		}
	}
	for _, cursor := range []string{"2026-10-02", "{}", `{"since":"soon"}`, "null"} {
		if _, _, err := api.Swept(t.Context(), cursor, now, 0, nil); ats.FaultOf(err) != ats.Invalid {
			t.Errorf("the cursor %s: got %v, want invalid", cursor, err)
		}
	}
}

func TestSweepPayload(t *testing.T) {
	s := api.Sweep{Began: now}
	for name, tt := range map[string]struct {
		decided time.Time
		old     bool
	}{
		"before the first sweep": {now.Add(-1), true}, "with the first sweep": {now, false}, "nobody knows when": {time.Time{}, false},
	} {
		if p := s.Payload([]byte("{}"), tt.decided, now); p.History() != tt.old || !p.Received.Equal(now) {
			t.Errorf("%s: got %+v, want history %t", name, p, tt.old)
		}
	}
}
