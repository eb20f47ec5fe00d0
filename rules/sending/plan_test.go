package sending_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/rules/sending"
)

// rejection is a decision of Monday at 11:15, heard at 11:20 the same day.
func rejection(tb testing.TB) sending.Facts {
	tb.Helper()
	e := atstest.Rejection()
	e.At = at(tb, "2026-06-08 11:15")
	return sending.Facts{Event: e, Now: at(tb, "2026-06-08 11:20")}
}

func decide(s sending.Settings, f sending.Facts) sending.Plan {
	return sending.Decide(s, sending.NewCalendar(s, tokyo), f)
}

func TestDecide(t *testing.T) {
	type change func(s *sending.Settings, f *sending.Facts)
	state := func(state ats.State) change {
		return func(_ *sending.Settings, f *sending.Facts) { f.Event.State = state }
	}
	since := func(previous ats.State, at string) change {
		return func(_ *sending.Settings, f *sending.Facts) {
			f.Previous, f.PreviousAt = previous, f.Event.At
			if at != "" {
				f.PreviousAt, _ = time.ParseInLocation("2006-01-02 15:04:05", at, tokyo)
			}
		}
	}
	side := func(side ats.Side, policy sending.OnUnknown) change {
		return func(s *sending.Settings, f *sending.Facts) { f.Event.Side, s.OnUnknownSide = side, policy }
	}
	volume := func(hour, day, busiest int) change {
		return func(_ *sending.Settings, f *sending.Facts) {
			f.Volume = sending.Volume{LastHour: hour, LastDay: day, BusiestDay: busiest}
		}
	}
	age := func(d time.Duration) change {
		return func(_ *sending.Settings, f *sending.Facts) { f.Now = f.Event.At.Add(d) }
	}
	history := func(d time.Duration, clock ats.Clock) change {
		return func(_ *sending.Settings, f *sending.Facts) {
			f.Cold, f.History, f.Event.Clock, f.Now = true, true, clock, f.Event.At.Add(d)
		}
	}
	event := func(fn func(*ats.Event)) change {
		return func(_ *sending.Settings, f *sending.Facts) { fn(&f.Event) }
	}
	tests := map[string]struct {
		change        change
		action        sending.Action
		code          string
		stale, cancel bool
	}{
		"a plain rejection": {nil, sending.Mail, sending.CodeScheduled, false, false},

		"news that is older than what is known":      {since(ats.Reopened, "2026-06-08 11:15:01"), sending.None, sending.CodeStale, true, false},
		"news of the same second":                    {since(ats.Reopened, ""), sending.Mail, sending.CodeScheduled, false, false},
		"news after what is known":                   {since(ats.Reopened, "2026-06-08 11:14:59"), sending.Mail, sending.CodeScheduled, false, false},
		"what is known lies in the future":           {since(ats.Rejected, "2027-06-08 11:15:00"), sending.Mail, sending.CodeScheduled, false, false},
		"what is known lies as far as clocks differ": {since(ats.Rejected, "2026-06-08 11:25:00"), sending.None, sending.CodeStale, true, false},
		"anything after an erasure":                  {since(ats.Erased, "2026-06-01 00:00:00"), sending.None, sending.CodeErased, true, false},
		"an erasure that is older than what is known": {func(s *sending.Settings, f *sending.Facts) {
			state(ats.Erased)(s, f)
			since(ats.Rejected, "2026-06-08 11:19:00")(s, f)
		}, sending.None, sending.CodeErased, false, true},

		"a withdrawal":                        {state(ats.Withdrawn), sending.None, sending.CodeWithdrawn, false, true},
		"a hire":                              {state(ats.Hired), sending.None, sending.CodeHired, false, true},
		"a rejection taken back":              {state(ats.Reopened), sending.None, sending.CodeReopened, false, true},
		"a position that was closed":          {state(ats.Closed), sending.None, sending.CodeClosed, false, true},
		"an erasure":                          {state(ats.Erased), sending.None, sending.CodeErased, false, true},
		"a merger":                            {state(ats.Merged), sending.None, sending.CodeMerged, false, false},
		"a state that is none":                {state(""), sending.None, sending.CodeNotRejected, false, true},
		"a rejection by the candidate":        {side(ats.Applicant, sending.SendUnknown), sending.None, sending.CodeCandidateSide, false, true},
		"nobody knows who ended it: hold":     {side(ats.Unknown, sending.HoldUnknown), sending.Hold, sending.CodeUnknownSide, false, false},
		"nobody knows who ended it: send":     {side(ats.Unknown, sending.SendUnknown), sending.Mail, sending.CodeScheduled, false, false},
		"nobody knows who ended it: ignore":   {side(ats.Unknown, sending.IgnoreUnknown), sending.None, sending.CodeUnknownSide, false, false},
		"no side counts as unknown":           {side("", sending.HoldUnknown), sending.Hold, sending.CodeUnknownSide, false, false},
		"the company's side is never unknown": {side(ats.Company, sending.IgnoreUnknown), sending.Mail, sending.CodeScheduled, false, false},
		"the mail is switched off":            {func(s *sending.Settings, _ *sending.Facts) { s.Purposes = nil }, sending.None, sending.CodePurposeOff, false, false},
		"it was written before":               {func(_ *sending.Settings, f *sending.Facts) { f.Written = true }, sending.None, sending.CodeWritten, false, false},
		"the address takes nothing":           {func(_ *sending.Settings, f *sending.Facts) { f.Suppressed = true }, sending.None, sending.CodeSuppressed, false, false},
		"no address":                          {event(func(e *ats.Event) { e.Candidate.Email = "" }), sending.Hold, sending.CodeNoAddress, false, false},
		"no address in a cold start": {func(_ *sending.Settings, f *sending.Facts) {
			f.Event.Candidate.Email, f.Cold = "", true
		}, sending.Hold, sending.CodeNoAddress, false, false},
		"an agency without an address": {event(func(e *ats.Event) { e.Candidate.Email, e.Agent = "", true }), sending.None, sending.CodeAgent, false, false},
		"something that is no address": {event(func(e *ats.Event) {
			e.Candidate.Email, e.Problems = "", []string{ats.EmailInvalid}
		}), sending.Hold, sending.CodeNotAnAddress, false, false},
		"two addresses": {event(func(e *ats.Event) {
			e.Candidate.Email, e.Problems = "", []string{ats.EmailSeveral}
		}), sending.Hold, sending.CodeSeveral, false, false},
		"do not contact":               {event(func(e *ats.Event) { e.Candidate.DoNotContact = true }), sending.None, sending.CodeDoNotContact, false, false},
		"a private candidate":          {event(func(e *ats.Event) { e.Candidate.Private = true }), sending.None, sending.CodeDoNotContact, false, false},
		"an agency":                    {event(func(e *ats.Event) { e.Agent = true }), sending.None, sending.CodeAgent, false, false},
		"an internal applicant":        {event(func(e *ats.Event) { e.Candidate.Type = "internal" }), sending.None, sending.CodeInternal, false, false},
		"a confidential job":           {event(func(e *ats.Event) { e.Job.Confidential = true }), sending.None, sending.CodeConfidential, false, false},
		"an applicant of another type": {event(func(e *ats.Event) { e.Candidate.Type = "referral" }), sending.Mail, sending.CodeScheduled, false, false},
		"nobody is excluded": {func(s *sending.Settings, f *sending.Facts) {
			s.Exclude = nil
			f.Event.Agent, f.Event.Candidate.Type, f.Event.Job.Confidential = true, "internal", true
		}, sending.Mail, sending.CodeScheduled, false, false},

		"history":                               {func(_ *sending.Settings, f *sending.Facts) { f.Cold = true }, sending.Hold, sending.CodeCold, false, false},
		"exactly as old as allowed":             {age(30 * 24 * time.Hour), sending.Mail, sending.CodeScheduled, false, false},
		"a nanosecond older":                    {age(30*24*time.Hour + 1), sending.Hold, sending.CodeMaxAge, false, false},
		"a test":                                {event(func(e *ats.Event) { e.Candidate.Name = "テスト 応募" }), sending.Hold, sending.CodeTestName, false, false},
		"no name":                               {event(func(e *ats.Event) { e.Candidate.Name, e.Candidate.FamilyName, e.Candidate.GivenName = "", "", "" }), sending.Hold, sending.CodeNoName, false, false},
		"a damaged name":                        {event(func(e *ats.Event) { e.Candidate.Name = "?田 健" }), sending.Hold, sending.CodeNoName, false, false},
		"history of lately":                     {history(10*24*time.Hour, ats.DecidedClock), sending.Hold, sending.CodeCold, false, false},
		"history of long ago":                   {history(31*24*time.Hour, ats.DecidedClock), sending.None, sending.CodeHistory, false, false},
		"history of nobody knows when":          {history(0, ats.ReceivedClock), sending.None, sending.CodeHistory, false, false},
		"an embargo that was not said":          {event(func(e *ats.Event) { e.Problems = []string{ats.EmbargoUnknown} }), sending.Hold, sending.CodeEmbargo, false, false},
		"a doubtful address":                    {event(func(e *ats.Event) { e.Problems = []string{ats.EmailReview} }), sending.Hold, sending.CodeBadAddress, false, false},
		"the 50th mail within an hour":          {volume(49, 49, 0), sending.Mail, sending.CodeScheduled, false, false},
		"the 51st mail within an hour":          {volume(50, 50, 0), sending.Hold, sending.CodeBrakeVolume, false, false},
		"three times the busiest day":           {volume(0, 29, 10), sending.Mail, sending.CodeScheduled, false, false},
		"more than three times the busiest day": {volume(0, 30, 10), sending.Hold, sending.CodeBrakeVolume, false, false},
		"a small company's busy day":            {volume(0, 18, 1), sending.Mail, sending.CodeScheduled, false, false},
		"a small company's twentieth mail":      {volume(0, 19, 1), sending.Hold, sending.CodeBrakeVolume, false, false},
		"the first day of a company":            {volume(0, 40, 0), sending.Mail, sending.CodeScheduled, false, false},
		"several reasons: the first is the code": {func(_ *sending.Settings, f *sending.Facts) {
			f.Cold, f.Event.Candidate.Name, f.Volume.LastHour = true, "", 99
		}, sending.Hold, sending.CodeCold, false, false},
		"a decision as far ahead as clocks differ": {age(-sending.Skew), sending.Mail, sending.CodeScheduled, false, false},
		"a decision in the future":                 {age(-sending.Skew - 1), sending.Hold, sending.CodeFutureTime, false, false},
		"a decision of the next decade":            {age(-10 * 365 * 24 * time.Hour), sending.Hold, sending.CodeFutureTime, false, false},
		"a withdrawal in the future": {func(s *sending.Settings, f *sending.Facts) {
			state(ats.Withdrawn)(s, f)
			age(-time.Hour)(s, f)
		}, sending.None, sending.CodeWithdrawn, false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, f := sending.Defaults(), rejection(t)
			if tt.change != nil {
				tt.change(&s, &f)
			}
			p := decide(s, f)
			if p.Action != tt.action || p.Code != tt.code || p.Stale != tt.stale || p.Cancel != tt.cancel {
				t.Errorf("got %s %s stale=%t cancel=%t, want %s %s stale=%t cancel=%t", p.Action, p.Code, p.Stale, p.Cancel, tt.action, tt.code, tt.stale, tt.cancel)
			}
			if p.Due.IsZero() != (p.Action == sending.None) {
				t.Errorf("%s with the time %s", p.Action, p.Due)
			}
			failed := slices.IndexFunc(p.Checks, func(c sending.Check) bool { return !c.OK })
			if p.Action == sending.Mail && failed >= 0 {
				t.Errorf("it goes out although %s failed", p.Checks[failed].Code)
			}
			if p.Action != sending.Mail && (failed < 0 || p.Checks[failed].Code != p.Code) {
				t.Errorf("the first check that failed is not %s: %v", p.Code, p.Checks)
			}
		})
	}
}

// A person can read every question that was asked, also those that passed.
func TestChecks(t *testing.T) {
	s, f := sending.Defaults(), rejection(t)
	f.Now, f.Volume = f.Event.At.Add(36*time.Hour), sending.Volume{LastHour: 60, LastDay: 70, BusiestDay: 12}
	f.Event.At = f.Event.At.Add(-30 * 24 * time.Hour)
	got := decide(s, f).Checks
	want := []sending.Check{
		{Code: sending.CodeStale, OK: true},
		{Code: sending.CodePurposeOff, OK: true},
		{Code: sending.CodeUnknownSide, OK: true},
		{Code: sending.CodeWritten, OK: true},
		{Code: sending.CodeDoNotContact, OK: true},
		{Code: sending.CodeAgent, OK: true},
		{Code: sending.CodeInternal, OK: true},
		{Code: sending.CodeConfidential, OK: true},
		{Code: sending.CodeSuppressed, OK: true},
		{Code: sending.CodeNoAddress, OK: true},
		{Code: sending.CodeCold, OK: true},
		{Code: sending.CodeUnknownSide, OK: true},
		{Code: sending.CodeMaxAge, Detail: "31.5d / 30d"},
		{Code: sending.CodeTestName, OK: true},
		{Code: sending.CodeNoName, OK: true},
		{Code: sending.CodeBadAddress, OK: true},
		{Code: sending.CodeBrakeVolume, Detail: "1h: 61 / 50, 24h: 71 / 3 × 12"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.Event.At = f.Now.Add(36 * time.Hour)
	if checks := decide(s, f).Checks; !slices.Contains(checks, sending.Check{Code: sending.CodeFutureTime, Detail: "1.5d / 5m0s"}) {
		t.Errorf("a decision in the future is not noted: %v", checks)
	}
}

// Nobody is told before the day that the ATS names, however long ago the
// decision was.
func TestEmbargo(t *testing.T) {
	for name, tt := range map[string]struct{ until, want string }{
		"one that is over": {"2026-06-08 11:15", "2026-06-09 11:15"},
		"a later day":      {"2026-06-11 14:00", "2026-06-11 14:00"},
		"a later night":    {"2026-06-12 22:00", "2026-06-15 10:00"},
	} {
		s, f := sending.Defaults(), rejection(t)
		f.Event.At, f.Now, f.Event.NotBefore = at(t, "2026-06-08 11:15"), at(t, "2026-06-08 11:20"), at(t, tt.until)
		if due, want := decide(s, f).Due, at(t, tt.want); due.Before(want) || due.Sub(want) >= 20*time.Minute {
			t.Errorf("%s: got %s, want %s or a little later", name, due, want)
		}
	}
}

// Every mail is drawn up to twenty minutes away from the time given here, but
// never out of the window.
func TestDue(t *testing.T) {
	delay := func(d time.Duration) func(*sending.Settings) {
		return func(s *sending.Settings) { s.Delay = ats.Duration(d) }
	}
	always := func(s *sending.Settings) { s.Window = sending.Window{} }
	tests := map[string]struct {
		settings     func(*sending.Settings)
		decided, now string
		want         string
	}{
		"a day later, inside the window":           {nil, "2026-06-08 11:15", "2026-06-08 11:20", "2026-06-09 11:15"},
		"a day later, too early":                   {nil, "2026-06-08 07:00", "2026-06-08 11:20", "2026-06-09 10:00"},
		"a day later, too late":                    {nil, "2026-06-08 17:00", "2026-06-08 17:20", "2026-06-10 10:00"},
		"a day later is Saturday":                  {nil, "2026-06-12 11:15", "2026-06-12 11:20", "2026-06-15 10:00"},
		"heard late":                               {nil, "2026-06-01 11:15", "2026-06-09 14:00", "2026-06-09 14:00"},
		"heard late in the night":                  {nil, "2026-06-01 11:15", "2026-06-09 23:00", "2026-06-10 10:00"},
		"before Golden Week":                       {nil, "2026-05-01 11:15", "2026-05-01 11:20", "2026-05-07 10:00"},
		"no delay":                                 {delay(0), "2026-06-09 11:15", "2026-06-09 11:15", "2026-06-09 11:15"},
		"no delay before the opening":              {delay(0), "2026-06-09 09:59:59", "2026-06-09 09:59:59", "2026-06-09 10:00"},
		"the last hour of a month, in UTC":         {delay(0), "2026-03-31T15:30:00Z", "2026-03-31T15:30:00Z", "2026-04-01 10:00"},
		"the last second of a month, in UTC":       {delay(0), "2026-03-31T14:59:59Z", "2026-03-31T14:59:59Z", "2026-04-01 10:00"},
		"the end of the year":                      {nil, "2026-12-30 16:00", "2026-12-30 16:05", "2026-12-31 16:00"},
		"the end of the year, a day later":         {nil, "2026-12-31 16:00", "2026-12-31 16:05", "2027-01-04 10:00"},
		"the company's days off":                   {yearEnd, "2026-12-27 18:00", "2026-12-27 18:05", "2027-01-04 10:00"},
		"a decision in the future counts from now": {nil, "2027-06-08 11:15", "2026-06-08 11:20", "2026-06-09 11:20"},
		"a decision as far as clocks differ":       {nil, "2026-06-08 11:25", "2026-06-08 11:20", "2026-06-09 11:25"},
		"a window that never closes":               {always, "2026-06-13 03:00", "2026-06-13 03:05", "2026-06-14 03:00"},
		"the last second before closing":           {nil, "2026-06-08 16:59:59", "2026-06-08 17:00", "2026-06-09 16:59:59"},
		"a long delay":                             {delay(30 * 24 * time.Hour), "2026-06-08 11:15", "2026-06-08 11:20", "2026-07-08 11:15"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, f := sending.Defaults(), rejection(t)
			if tt.settings != nil {
				tt.settings(&s)
			}
			f.Event.At, f.Now = at(t, tt.decided), at(t, tt.now)
			cal, want := sending.NewCalendar(s, tokyo), at(t, tt.want)
			for i := range 300 {
				f.Event.Application = fmt.Sprintf("A-%d", 1000+i)
				due := decide(s, f).Due
				if due.Before(want) || due.Sub(want) >= 20*time.Minute {
					t.Fatalf("%s: got %s, want %s or a little later", f.Event.Application, due, want)
				}
				if !cal.Open(due) {
					t.Fatalf("%s: %s is outside the window", f.Event.Application, due)
				}
				if again := decide(s, f).Due; !again.Equal(due) {
					t.Fatalf("%s: got %s and then %s", f.Event.Application, due, again)
				}
			}
		})
	}
}

// Many decisions of one morning do not leave in the same minute, and close to
// the closing they share what is left.
func TestSpread(t *testing.T) {
	tests := map[string]struct {
		decided string
		room    time.Duration
	}{
		"at the opening":                   {"2026-06-08 03:00", 20 * time.Minute},
		"ten minutes before the closing":   {"2026-06-08 16:50", 10 * time.Minute},
		"half a minute before the closing": {"2026-06-08 16:59:30", 30 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, f := sending.Defaults(), rejection(t)
			f.Event.At, f.Now = at(t, tt.decided), at(t, tt.decided)
			tenths := map[int64]int{}
			begin := sending.NewCalendar(s, tokyo).Next(f.Event.At.Add(24 * time.Hour))
			for i := range 1000 {
				f.Event.Application = fmt.Sprintf("A-%d", i)
				tenths[int64(decide(s, f).Due.Sub(begin))*10/int64(tt.room)]++
			}
			for i := range int64(10) {
				if n := tenths[i]; n < 50 || n > 150 {
					t.Errorf("%d of 1000 mails leave in tenth %d", n, i)
				}
			}
			if len(tenths) != 10 {
				t.Errorf("mails leave in %v", tenths)
			}
		})
	}
}

func TestRecheck(t *testing.T) {
	now := at(t, "2026-06-09 11:30")
	good := sending.Moment{State: ats.Rejected, DecidedAt: at(t, "2026-06-08 11:15"), Due: at(t, "2026-06-09 11:20"), Now: now}
	tests := map[string]struct {
		change  func(s *sending.Settings, m *sending.Moment)
		verdict sending.Verdict
		until   time.Time
		code    string
	}{
		"everything is as planned":    {nil, sending.Go, time.Time{}, sending.CodeGo},
		"the second that was planned": {func(_ *sending.Settings, m *sending.Moment) { m.Now = m.Due }, sending.Go, time.Time{}, sending.CodeGo},
		"a second before":             {func(_ *sending.Settings, m *sending.Moment) { m.Now = m.Due.Add(-time.Second) }, sending.Wait, good.Due, sending.CodeNotDue},
		"reopened":                    {func(_ *sending.Settings, m *sending.Moment) { m.State = ats.Reopened }, sending.Cancel, time.Time{}, sending.CodeReopened},
		"withdrawn":                   {func(_ *sending.Settings, m *sending.Moment) { m.State = ats.Withdrawn }, sending.Cancel, time.Time{}, sending.CodeWithdrawn},
		"hired":                       {func(_ *sending.Settings, m *sending.Moment) { m.State = ats.Hired }, sending.Cancel, time.Time{}, sending.CodeHired},
		"erased":                      {func(_ *sending.Settings, m *sending.Moment) { m.State = ats.Erased }, sending.Cancel, time.Time{}, sending.CodeErased},
		"closed":                      {func(_ *sending.Settings, m *sending.Moment) { m.State = ats.Closed }, sending.Cancel, time.Time{}, sending.CodeClosed},
		"merged":                      {func(_ *sending.Settings, m *sending.Moment) { m.State = ats.Merged }, sending.Cancel, time.Time{}, sending.CodeMerged},
		"a state that nobody knows":   {func(_ *sending.Settings, m *sending.Moment) { m.State = "" }, sending.Cancel, time.Time{}, sending.CodeNotRejected},
		"reopened before its time":    {func(_ *sending.Settings, m *sending.Moment) { m.State, m.Now = ats.Reopened, m.Due.Add(-time.Hour) }, sending.Cancel, time.Time{}, sending.CodeReopened},
		"the address takes nothing":   {func(_ *sending.Settings, m *sending.Moment) { m.Suppressed = true }, sending.Suppress, time.Time{}, sending.CodeSuppressed},
		"exactly as old as allowed":   {func(_ *sending.Settings, m *sending.Moment) { m.DecidedAt = now.Add(-30 * 24 * time.Hour) }, sending.Go, time.Time{}, sending.CodeGo},
		"a second older":              {func(_ *sending.Settings, m *sending.Moment) { m.DecidedAt = now.Add(-30*24*time.Hour - time.Second) }, sending.HoldBack, time.Time{}, sending.CodeMaxAge},
		"a second older, but released": {func(_ *sending.Settings, m *sending.Moment) {
			m.DecidedAt, m.Released = now.Add(-31*24*time.Hour), true
		}, sending.Go, time.Time{}, sending.CodeGo},
		"a release does not undo a change": {func(_ *sending.Settings, m *sending.Moment) { m.State, m.Released = ats.Hired, true }, sending.Cancel, time.Time{}, sending.CodeHired},
		"after hours":                      {func(_ *sending.Settings, m *sending.Moment) { m.Now = at(t, "2026-06-09 17:00") }, sending.Wait, at(t, "2026-06-10 10:00"), sending.CodeWindow},
		"after hours, though released":     {func(_ *sending.Settings, m *sending.Moment) { m.Now, m.Released = at(t, "2026-06-12 17:00"), true }, sending.Wait, at(t, "2026-06-15 10:00"), sending.CodeWindow},
		"the ATS writes":                   {func(s *sending.Settings, _ *sending.Moment) { s.Mode = sending.LinkOnly }, sending.Cancel, time.Time{}, sending.CodeLinkOnly},
		"a dry run":                        {func(s *sending.Settings, _ *sending.Moment) { s.Mode = sending.DryRun }, sending.Cancel, time.Time{}, sending.CodeDryRun},
		"no mode":                          {func(s *sending.Settings, _ *sending.Moment) { s.Mode = "" }, sending.Cancel, time.Time{}, sending.CodeDryRun},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, m := sending.Defaults(), good
			s.Mode = sending.Live
			if tt.change != nil {
				tt.change(&s, &m)
			}
			verdict, until, code := sending.Recheck(s, sending.NewCalendar(s, tokyo), m)
			if verdict != tt.verdict || !until.Equal(tt.until) || code != tt.code {
				t.Errorf("got %s until %s %s, want %s until %s %s", verdict, until, code, tt.verdict, tt.until, tt.code)
			}
		})
	}
}
