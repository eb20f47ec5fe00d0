package mail_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/ats/atstest"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/mail/mailtest"
)

func message(tb testing.TB) mail.Message {
	tb.Helper()
	return thanks(tb, load(tb, nil), settings(), letter("ja"))
}

func transport(tb testing.TB, base string) mail.SendGrid {
	tb.Helper()
	client := mail.NewHTTPClient()
	tb.Cleanup(client.CloseIdleConnections)
	return mail.SendGrid{Key: mailtest.Key, BaseURL: base, HTTP: client}
}

func TestSendGridTakesAMail(t *testing.T) {
	fake := mailtest.Start(t)
	m := message(t)
	m.To.Name = "Smith, John; Jr."
	receipt, err := transport(t, fake.URL+"/").Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	mails := fake.Mails()
	if len(mails) != 1 {
		t.Fatalf("got %d mails", len(mails))
	}
	got := mails[0]
	if want := (mail.Receipt{Transport: "sendgrid", ProviderID: got.MessageID}); receipt != want || got.MessageID == "" {
		t.Errorf("got %+v, want %+v", receipt, want)
	}
	var pretty any
	if err := json.Unmarshal(got.Body, &pretty); err != nil {
		t.Fatal(err)
	}
	content := pretty.(map[string]any)["content"].([]any)
	for i, want := range []string{m.Text, m.HTML} {
		part := content[i].(map[string]any)
		if diff := cmp.Diff(want, part["value"]); diff != "" {
			t.Errorf("the part changed on its way:\n%s", diff)
		}
		part["value"] = "…"
	}
	atstest.Golden(t, "testdata/sendgrid-request.json", pretty)
	if got.Tracked {
		t.Error("something is tracked")
	}
}

func TestSendGridClasses(t *testing.T) {
	const body = `{"errors":[{"message":"The address misaki.sato@example.jp of 佐藤 美咲 is \"bad\": MISAKI.SATO","field":"personalizations.0.to.0.email","help":null}]}`
	date := "Tue, 24 Nov 2026 01:00:00 GMT"
	tests := map[string]struct {
		answer mailtest.Answer
		want   ats.Fault // "" is a receipt
		after  time.Duration
		says   string
	}{
		"202":                          {mailtest.Answer{}, "", 0, ""},
		"200 with an id":               {mailtest.Answer{Status: 200, Header: map[string]string{"X-Message-Id": "abc"}}, "", 0, ""},
		"200 of somebody in between":   {mailtest.Answer{Status: 200, Body: "<html>log in</html>"}, ats.Unclear, 0, "answered 200"},
		"204":                          {mailtest.Answer{Status: 204}, ats.Unclear, 0, "answered 204"},
		"301":                          {mailtest.Answer{Status: 301, Header: map[string]string{"Location": "https://other.example.jp"}}, ats.Denied, 0, "(301)"},
		"307 is not followed":          {mailtest.Answer{Status: 307, Header: map[string]string{"Location": "/v3/mail/send"}}, ats.Denied, 0, "(307)"},
		"400":                          {mailtest.Answer{Status: 400, Body: body}, ats.Invalid, 0, "(400): personalizations.0.to.0.email: The address"},
		"400 without a reason":         {mailtest.Answer{Status: 400, Body: "no"}, ats.Invalid, 0, "(400)"},
		"401":                          {mailtest.Answer{Status: 401}, ats.Denied, 0, "(401)"},
		"403":                          {mailtest.Answer{Status: 403, Body: `{"errors":[{"message":"The from address does not match a verified Sender Identity.","field":"from"}]}`}, ats.Denied, 0, "(403): from: The from address does not match"},
		"404":                          {mailtest.Answer{Status: 404}, ats.Denied, 0, "(404)"},
		"405":                          {mailtest.Answer{Status: 405}, ats.Denied, 0, "(405)"},
		"408":                          {mailtest.Answer{Status: 408}, ats.Unclear, 0, "408"},
		"413":                          {mailtest.Answer{Status: 413}, ats.TooLarge, 0, "(413)"},
		"415":                          {mailtest.Answer{Status: 415}, ats.Denied, 0, "(415)"},
		"422":                          {mailtest.Answer{Status: 422}, ats.Invalid, 0, "(422)"},
		"429":                          {mailtest.Answer{Status: 429}, ats.Busy, 0, "(429)"},
		"429 with a reset":             {mailtest.Answer{Status: 429, Header: map[string]string{"Date": date, "X-RateLimit-Reset": "1795482004"}}, ats.Busy, 4 * time.Second, ""},
		"429 with a reset long ago":    {mailtest.Answer{Status: 429, Header: map[string]string{"Date": date, "X-RateLimit-Reset": "17"}}, ats.Busy, 0, ""},
		"429 with a reset next year":   {mailtest.Answer{Status: 429, Header: map[string]string{"Date": date, "X-RateLimit-Reset": "1827000000"}}, ats.Busy, time.Hour, ""},
		"429 with seconds":             {mailtest.Answer{Status: 429, Header: map[string]string{"Retry-After": "90"}}, ats.Busy, 90 * time.Second, ""},
		"429 with too many seconds":    {mailtest.Answer{Status: 429, Header: map[string]string{"Retry-After": "99999999999"}}, ats.Busy, time.Hour, ""},
		"429 with a time":              {mailtest.Answer{Status: 429, Header: map[string]string{"Date": date, "Retry-After": "Tue, 24 Nov 2026 01:00:30 GMT"}}, ats.Busy, 30 * time.Second, ""},
		"429 with nonsense":            {mailtest.Answer{Status: 429, Header: map[string]string{"X-RateLimit-Reset": "soon", "Retry-After": "-5"}}, ats.Busy, 0, ""},
		"451":                          {mailtest.Answer{Status: 451}, ats.Denied, 0, "(451)"},
		"500":                          {mailtest.Answer{Status: 500}, ats.Unclear, 0, "answered 500"},
		"500 although it was accepted": {mailtest.Answer{Status: 500, Accept: true}, ats.Unclear, 0, "answered 500"},
		"503":                          {mailtest.Answer{Status: 503}, ats.Unclear, 0, "answered 503"},
		"a reset after the mail":       {mailtest.Answer{Reset: true}, ats.Unclear, 0, "no answer"},
		"a reset after it was taken":   {mailtest.Answer{Reset: true, Accept: true}, ats.Unclear, 0, "no answer"},
		"a huge answer":                {mailtest.Answer{Status: 400, Body: strings.Repeat("x", 1<<20)}, ats.Invalid, 0, "(400)"},
	}
	m := message(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fake := mailtest.Start(t)
			fake.Next(1, tt.answer)
			receipt, err := transport(t, fake.URL).Send(t.Context(), m)
			if ats.FaultOf(err) != tt.want || (tt.want == "") != (err == nil) {
				t.Fatalf("got %+v, %v (%s), want %q", receipt, err, ats.FaultOf(err), tt.want)
			}
			if got := ats.WaitOf(err); got != tt.after {
				t.Errorf("waits %v, want %v", got, tt.after)
			}
			if err != nil && (receipt != mail.Receipt{} || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("got %+v, %v, want %q", receipt, err, tt.says)
			}
			leaks(t, err, m)
			if fake.Requests() != 1 {
				t.Errorf("%d requests, want one attempt", fake.Requests())
			}
		})
	}
}

// leaks fails when an error tells who the mail is for or what our key is.
func leaks(t *testing.T, err error, m mail.Message) {
	t.Helper()
	local, _, _ := strings.Cut(string(m.To.Address), "@")
	for _, s := range []string{local, "佐藤", "美咲", "佐藤 美咲", m.Subject, string(mailtest.Key), m.Unsubscribe} {
		if err != nil && strings.Contains(strings.ToLower(fmt.Sprintf("%v %+v %#v", err, err, err)), strings.ToLower(s)) {
			t.Errorf("the error tells %q: %v", s, err)
		}
	}
}

// The fake itself quotes the address in its refusals, as the vendor does.
func TestSendGridErrorsTellNobody(t *testing.T) {
	fake := mailtest.Start(t)
	tests := map[string]func(*mail.Message){
		"a bad address": func(m *mail.Message) { m.To.Address = "misaki..sato@" },
		"a bad name":    func(m *mail.Message) { m.To.Name = "佐藤 美咲\x07" },
		"a bad subject": func(m *mail.Message) { m.Subject = "佐藤\n" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			m := message(t)
			change(&m)
			_, err := transport(t, fake.URL).Send(t.Context(), m)
			if ats.FaultOf(err) != ats.Invalid {
				t.Errorf("got %v", err)
			}
			leaks(t, err, m)
		})
	}
}

func TestSendGridBeforeAnythingIsWritten(t *testing.T) {
	silent := listen(t, func(c net.Conn) { <-t.Context().Done(); _ = c.Close() })
	tests := map[string]struct {
		base    string
		timeout time.Duration
	}{
		"nobody listens":             {"http://" + refused(t), time.Minute},
		"no such host":               {"http://host.invalid", time.Minute},
		"TLS that never answers":     {"https://" + silent, 200 * time.Millisecond},
		"TLS with a foreign name":    {tlsServer(t), time.Minute},
		"the time was up before":     {"http://" + silent, 0},
		"plain words instead of TLS": {"https://" + listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "hello\n"); _ = c.Close() }), time.Minute},
	}
	m := message(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
			defer cancel()
			_, err := transport(t, tt.base).Send(ctx, m)
			if ats.FaultOf(err) != ats.Busy {
				t.Errorf("got %v (%s), want busy", err, ats.FaultOf(err))
			}
			leaks(t, err, m)
		})
	}
}

// A request that broke off in its middle cannot have been accepted; one that
// was written as a whole perhaps was.
func TestSendGridWhileWriting(t *testing.T) {
	m := message(t)
	m.HTML += strings.Repeat(" ", 32<<20) // more than the buffers of both sides hold
	addr := listen(t, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 1<<10))
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	})
	if _, err := transport(t, "http://"+addr).Send(t.Context(), m); ats.FaultOf(err) != ats.Busy {
		t.Errorf("broken off: got %v (%s), want busy", err, ats.FaultOf(err))
	}
	deaf := listen(t, func(c net.Conn) { <-t.Context().Done(); _ = c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := transport(t, "http://"+deaf).Send(ctx, m); ats.FaultOf(err) != ats.Busy {
		t.Errorf("never read: got %v (%s), want busy", err, ats.FaultOf(err))
	}
}

func TestSendGridAnswersTooLate(t *testing.T) {
	m := message(t)
	for name, tt := range map[string]struct {
		answer mailtest.Answer
		want   int
	}{
		"taken":            {mailtest.Answer{Hang: true, Accept: true}, 1},
		"not taken":        {mailtest.Answer{Hang: true}, 0},
		"slow, then taken": {mailtest.Answer{Delay: time.Minute, Accept: true}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			fake := mailtest.Start(t)
			fake.Next(1, tt.answer)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := transport(t, fake.URL).Send(ctx, m); ats.FaultOf(err) != ats.Unclear {
				t.Errorf("got %v, want unclear", err)
			}
			if got := fake.Count(); got != tt.want || fake.Requests() != 1 {
				t.Errorf("%d mails of %d requests, want %d of 1", got, fake.Requests(), tt.want)
			}
		})
	}
}

// A connection that the other side closes at any moment never costs the truth:
// what is reported as sent was accepted, what is busy was not.
func TestSendGridOnConnectionsThatClose(t *testing.T) {
	fake, err := mailtest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	sender, m := transport(t, server.URL), message(t)
	outcomes := map[ats.Fault]int{}
	for i := range 200 {
		var closing sync.WaitGroup
		closing.Go(func() {
			time.Sleep(time.Duration(i*5) * time.Microsecond)
			server.CloseClientConnections()
		})
		_, err := sender.Send(t.Context(), m)
		outcomes[ats.FaultOf(err)]++
		closing.Wait()
	}
	if got := fake.Count(); got < outcomes[""] || got > outcomes[""]+outcomes[ats.Unclear] || len(outcomes) > 3 {
		t.Errorf("%d mails were accepted, the outcomes are %v", got, outcomes)
	}
}

func TestSendGridSandbox(t *testing.T) {
	fake := mailtest.Start(t)
	sender := transport(t, fake.URL)
	sender.Sandbox = true
	if _, err := sender.Send(t.Context(), message(t)); err != nil {
		t.Error(err)
	}
	if fake.Count() != 0 {
		t.Error("a sandbox delivered")
	}
	sender.Key = "SG.another"
	if _, err := sender.Send(t.Context(), message(t)); ats.FaultOf(err) != ats.Denied {
		t.Errorf("got %v, want denied", err)
	}
}

func TestSendGridSpeaksToTheFakeAsDocumented(t *testing.T) {
	fake := mailtest.Start(t)
	fake.Senders = []string{"saiyo@acme.example.jp"}
	tests := map[string]struct {
		change func(*mail.Message)
		want   ats.Fault
	}{
		"a carrier address is put in quotes": {func(m *mail.Message) { m.To.Address = "a..b.@docomo.ne.jp" }, ""},
		"rare names survive":                 {func(m *mail.Message) { m.To.Name = "𠮷田 髙﨑 葛\U000E0100" }, ""},
		"nowhere to reply":                   {func(m *mail.Message) { m.ReplyTo = mail.Address{} }, ""},
		"an unverified sender":               {func(m *mail.Message) { m.From.Address = "other@acme.example.jp" }, ats.Denied},
		"a reserved header":                  {func(m *mail.Message) { m.Header = map[string]string{"Subject": "x"} }, ats.Invalid},
		"no text":                            {func(m *mail.Message) { m.Text = "" }, ats.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fake.Reset()
			m := message(t)
			tt.change(&m)
			if _, err := transport(t, fake.URL).Send(t.Context(), m); ats.FaultOf(err) != tt.want || (tt.want == "") != (err == nil) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if tt.want != "" {
				return
			}
			got := fake.Mails()[0]
			if got.To != m.To.Address.Quoted() || got.ToName != m.To.Name || got.ReplyTo != string(m.ReplyTo.Address) || got.SendID != m.SendID {
				t.Errorf("got to %q (%q), reply to %q, send id %q", got.To, got.ToName, got.ReplyTo, got.SendID)
			}
		})
	}
}

// However many leave at once, everybody gets their own name and links, once.
func TestSendGridNeverMixesPeople(t *testing.T) {
	fake := mailtest.Start(t)
	sender, ts := transport(t, fake.URL), load(t, nil)
	const people = 1000
	var wg sync.WaitGroup
	work := make(chan int)
	for range 32 {
		wg.Go(func() {
			for i := range work {
				l := letter("ja")
				l.SendID = fmt.Sprintf("SEND%06d", i)
				l.Event.Candidate.Name = "佐藤 " + inKana(i)
				l.Event.Candidate.Email = ats.Email(fmt.Sprintf("p%06d@example.jp", i))
				l.RelayURL = fmt.Sprintf("https://relay.example.jp/r/%06d", i)
				l.UnsubscribeURL = fmt.Sprintf("https://relay.example.jp/u/%06d", i)
				m, err := ts.Thanks(settings(), l)
				if err == nil {
					_, err = sender.Send(t.Context(), m)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range people {
		work <- i
	}
	close(work)
	wg.Wait()
	seen := map[string]bool{}
	for _, m := range fake.Mails() {
		n := strings.TrimPrefix(m.SendID, "SEND")
		i, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		name := "佐藤 " + inKana(i)
		seen[n] = true
		for _, part := range []string{m.Text, m.HTML} {
			if m.To != "p"+n+"@example.jp" || m.ToName != name || !strings.Contains(part, name+" 様") ||
				!strings.Contains(part, "/r/"+n) || !strings.Contains(part, "/u/"+n) || strings.Count(part, "佐藤 ") != 1 {
				t.Fatalf("the mail of %s is mixed up:\n%s", n, part)
			}
		}
	}
	if len(seen) != people || fake.Count() != people {
		t.Errorf("%d people got %d mails", len(seen), fake.Count())
	}
}

// inKana makes a number a name.
func inKana(n int) string {
	var name []rune
	for _, digit := range fmt.Sprintf("%06d", n) {
		name = append(name, []rune("あいうえおかきくけこ")[digit-'0'])
	}
	return string(name)
}

func TestMailbox(t *testing.T) {
	receipt, err := mail.Mailbox{}.Send(t.Context(), mail.Message{SendID: "S1"})
	if want := (mail.Receipt{Transport: "mailbox", ProviderID: "mailbox-S1"}); err != nil || receipt != want {
		t.Errorf("got %+v, %v", receipt, err)
	}
}

// listen calls serve for every connection to the address it returns.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

// refused returns an address at which nobody listens.
func refused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// tlsServer returns the address of a server whose certificate nobody trusts.
func tlsServer(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}
