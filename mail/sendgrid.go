package mail

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	sendgrid "github.com/sendgrid/sendgrid-go/helpers/mail"

	"github.com/career-relay/connector/ats"
)

const (
	sendGridHost = "https://api.sendgrid.com"
	// sendArg is the custom argument that carries our send id. It comes back
	// flat among the keys of an event, hence the prefix.
	sendArg   = "cr_send"
	maxAnswer = 64 << 10
	maxWait   = time.Hour
)

// SendGrid sends through SendGrid's v3 API: one recipient and one attempt for
// each call. The vendor's library builds the body; the call is ours, because
// whether a mail perhaps left hangs on details that the library hides.
type SendGrid struct {
	Key     ats.Secret
	BaseURL string       // "" for SendGrid's own; the EU host or a test server otherwise
	HTTP    *http.Client // see NewHTTPClient
	Sandbox bool         // let SendGrid validate and deliver nothing
}

// NewHTTPClient returns a client for SendGrid; all companies can share it. It
// speaks HTTP/1.1, where a broken connection leaves one mail in doubt and not
// all that share it, and drops idle connections before the other side does,
// which would look like a lost answer.
func NewHTTPClient() *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxIdleConnsPerHost:    512, // as many as may send at once; the default of 2 means a new connection for nearly every mail
			WriteBufferSize:        32 << 10,
			IdleConnTimeout:        20 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			Protocols:              &protocols,
		},
	}
}

// Send implements Transport.
func (s SendGrid) Send(ctx context.Context, m Message) (Receipt, error) {
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s.request(m)); err != nil {
		return Receipt{}, ats.Errorf(ats.Invalid, "encoding the mail: %w", err)
	}
	sent := &sentBody{content: content.Bytes()}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, cmp.Or(strings.TrimRight(s.BaseURL, "/"), sendGridHost)+"/v3/mail/send", sent.reader())
	if err != nil {
		return Receipt{}, ats.Errorf(ats.Denied, "SendGrid's address is not usable: %w", err)
	}
	req.ContentLength = int64(content.Len())
	// The client asks for the body again only when it wrote nothing of it.
	req.GetBody = func() (io.ReadCloser, error) { return sent.reader(), nil }
	req.Header.Set("Authorization", "Bearer "+string(s.Key))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := s.client().Do(req)
	if err != nil {
		return Receipt{}, sent.doubt("no answer from SendGrid: %w", cause(err))
	}
	defer func() { _ = resp.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the status alone decides
	return s.outcome(resp, sent, complaint(answer, m))
}

// client returns the client without redirects: a mail is not sent elsewhere
// because somebody says so.
func (s SendGrid) client() *http.Client {
	c := *cmp.Or(s.HTTP, http.DefaultClient)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// request says m in SendGrid's words. Nothing is tracked: a tracked link shows a
// foreign host and hands our tokens to the vendor. Categories and custom
// arguments are not protected as personal data there, so they are opaque.
func (s SendGrid) request(m Message) *sendgrid.SGMailV3 {
	v := sendgrid.NewV3MailInit(party(m.From), m.Subject, party(m.To),
		sendgrid.NewContent("text/plain", m.Text), sendgrid.NewContent("text/html", m.HTML))
	if m.ReplyTo.Address != "" {
		v.SetReplyTo(party(m.ReplyTo))
	}
	for name, value := range m.Header {
		v.SetHeader(name, value)
	}
	v.SetCustomArg(sendArg, m.SendID)
	if m.Company != "" {
		v.AddCategories(m.Company)
	}
	v.SetTrackingSettings(sendgrid.NewTrackingSettings().
		SetClickTracking(sendgrid.NewClickTrackingSetting().SetEnable(false).SetEnableText(false)).
		SetOpenTracking(sendgrid.NewOpenTrackingSetting().SetEnable(false)).
		SetSubscriptionTracking(sendgrid.NewSubscriptionTrackingSetting().SetEnable(false)).
		SetGoogleAnalytics(sendgrid.NewGaSetting().SetEnable(false)))
	if s.Sandbox {
		v.SetMailSettings(sendgrid.NewMailSettings().SetSandboxMode(sendgrid.NewSetting(true)))
	}
	return v
}

var separators = strings.NewReplacer(",", " ", ";", " ")

// party writes an address for SendGrid, which takes the old carrier forms in
// quotes only and no list separators in names.
func party(a Address) *sendgrid.Email {
	return sendgrid.NewEmail(separators.Replace(a.Name), strings.Trim(a.Address.Quoted(), "<>"))
}

// outcome classes an answer.
func (s SendGrid) outcome(resp *http.Response, sent *sentBody, why string) (Receipt, error) {
	status := resp.StatusCode
	receipt := Receipt{Transport: "sendgrid", ProviderID: messageID(resp.Header)}
	switch {
	case status == http.StatusAccepted:
		return receipt, nil
	case status == http.StatusOK && (s.Sandbox || receipt.ProviderID != ""):
		return receipt, nil
	case status == http.StatusTooManyRequests:
		return Receipt{}, ats.BusyFor(wait(resp.Header), "SendGrid asks to slow down (429)%s", why)
	case status == http.StatusRequestEntityTooLarge:
		return Receipt{}, ats.Errorf(ats.TooLarge, "SendGrid finds the mail too large (413)%s", why)
	case denials[status] || status >= 300 && status < 400:
		return Receipt{}, ats.Errorf(ats.Denied, "SendGrid refuses our key, our sender or the way we call it (%d)%s", status, why)
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		return Receipt{}, ats.Errorf(ats.Invalid, "SendGrid refuses the mail (%d)%s", status, why)
	}
	return Receipt{}, sent.doubt("SendGrid answered %d%s", status, why)
}

// denials are the answers that every mail of the company would get.
var denials = map[int]bool{
	http.StatusUnauthorized: true, http.StatusPaymentRequired: true, http.StatusForbidden: true, http.StatusNotFound: true,
	http.StatusMethodNotAllowed: true, http.StatusNotAcceptable: true, http.StatusProxyAuthRequired: true,
	http.StatusUnsupportedMediaType: true, http.StatusUnavailableForLegalReasons: true,
}

func messageID(h http.Header) string {
	id := h.Get("X-Message-Id")
	if len(id) > 200 || strings.ContainsFunc(id, notPrintable) {
		return ""
	}
	return id
}

// wait returns how long a vendor asks us to wait, measured by its own clock.
func wait(h http.Header) time.Duration {
	now, err := http.ParseTime(h.Get("Date"))
	var until time.Duration
	if reset, e := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); e == nil && err == nil {
		until = time.Unix(reset, 0).Sub(now)
	}
	if seconds, e := strconv.Atoi(h.Get("Retry-After")); e == nil {
		until = max(until, time.Duration(min(seconds, int(maxWait/time.Second)))*time.Second)
	} else if at, e := http.ParseTime(h.Get("Retry-After")); e == nil && err == nil {
		until = max(until, at.Sub(now))
	}
	return max(0, min(until, maxWait))
}

// A sentBody is the body of a request that knows whether all of it was taken
// to be written. Before that no server can have accepted the mail, because it
// was promised more bytes than it got; from then on it perhaps has.
type sentBody struct {
	content []byte
	whole   atomic.Bool
}

// reader starts the body from its beginning.
func (b *sentBody) reader() io.ReadCloser {
	b.whole.Store(false)
	return io.NopCloser(&bodyReader{rest: bytes.NewReader(b.content), whole: &b.whole})
}

type bodyReader struct {
	rest  *bytes.Reader
	whole *atomic.Bool
}

// Read notes that the last byte is handed out, before it can be written.
func (r *bodyReader) Read(p []byte) (int, error) {
	n, err := r.rest.Read(p)
	if r.rest.Len() == 0 {
		r.whole.Store(true)
	}
	return n, err
}

// doubt makes the error of an attempt that did not end well.
func (b *sentBody) doubt(format string, args ...any) error {
	if b.whole.Load() {
		return ats.Errorf(ats.Unclear, format, args...)
	}
	return ats.Errorf(ats.Busy, format, args...)
}

// cause takes the address of the request off an error of the client.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

var (
	fieldName = regexp.MustCompile(`^[a-z0-9_.\[\]-]{1,100}$`)
	quoted    = regexp.MustCompile(`"[^"]*"|'[^']*'|“[^”]*”`)
	addressed = regexp.MustCompile(`\S*(?:@|%40)\S*`)
	foreign   = regexp.MustCompile(`[^ -~]+`)
)

// complaint returns what SendGrid found wrong, for the end of an error: the
// fields, and the words without anything that comes from the mail itself.
func complaint(answer []byte, m Message) string {
	var body struct {
		Errors []struct {
			Message string `json:"message"`
			Field   string `json:"field"`
		} `json:"errors"`
	}
	if json.Unmarshal(answer, &body) != nil {
		return ""
	}
	var out strings.Builder
	for _, e := range body.Errors[:min(len(body.Errors), 3)] {
		out.WriteString(": ")
		if fieldName.MatchString(e.Field) {
			out.WriteString(e.Field + ": ")
		}
		out.WriteString(scrub(e.Message, m))
	}
	return out.String()
}

// scrub takes everything out of words of the vendor that may be personal: what
// is quoted, not English, an address, or a word of the name.
func scrub(s string, m Message) string {
	for _, r := range []*regexp.Regexp{quoted, addressed, foreign} {
		s = r.ReplaceAllString(s, "…")
	}
	local, _, _ := strings.Cut(string(m.To.Address), "@")
	for _, own := range append(strings.Fields(tidy(m.To.Name)), tidy(m.Subject), local) {
		if len([]rune(own)) > 1 {
			s = regexp.MustCompile(`(?i)`+regexp.QuoteMeta(own)).ReplaceAllString(s, "…")
		}
	}
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return s
}
