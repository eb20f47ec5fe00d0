package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
	"github.com/career-relay/connector/record"
)

// The limits of the door. The server itself refuses longer headers.
const (
	maxBody    = 1 << 20  // bytes of a webhook's body
	maxEvents  = 4 << 20  // bytes of a batch of a mail provider's events
	maxHeader  = 16 << 10 // bytes of all headers together
	maxHeaders = 64

	quarantined = 100 // deliveries with a bad signature kept per connection and hour
	failures    = 100 // lines about requests that failed, per connection, outcome and minute

	// saving bounds the wait for the commit. Whoever hangs up meanwhile does not
	// end it: the delivery is in hand.
	saving = 20 * time.Second
	again  = 30 * time.Second // when to come back, if the cause does not say
)

// mailConnection is the connection of the mail provider's events.
const mailConnection = "mail"

// hooks is the door for webhooks: limit, verify, keep. Nothing is decoded here,
// so that a payload nobody understands yet is kept as well.
type hooks struct {
	Deps
	quarantine *gate
	lines      *gate
	secrets    *gate
}

func newHooks(d Deps) *hooks {
	return &hooks{Deps: d, quarantine: newGate(quarantined, time.Hour), lines: newGate(failures, time.Minute), secrets: newGate(1, time.Minute)}
}

// A visit is one request at the door and what came of it: one answer, one line
// in the log, one count.
type visit struct {
	company    string
	connection string
	vendor     string // known once the connection is
	delivery   string
	outcome    string
	status     int
	header     http.Header // what the vendor wants to read besides
	reply      string
	size       int
	buffer     *[]byte // of the body, used again after the answer
	secret     int     // number of the secret that fitted, from 1; 0 if nobody knows
}

// answer serves a door: it translates what take returns, once.
func (h *hooks) answer(take func(c *gin.Context, v *visit) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := h.Now()
		v := visit{company: c.Param("company"), connection: c.Param("connection")}
		err := take(c, &v)
		v.settle(err)
		if v.status == http.StatusServiceUnavailable {
			c.Header("Retry-After", seconds(err))
		}
		header := c.Writer.Header()
		header["X-Content-Type-Options"], header["Content-Type"] = nosniff, contentType(v.reply)
		maps.Copy(header, v.header)
		c.Data(v.status, header.Get("Content-Type"), []byte(v.reply))
		h.report(c.Request.Context(), v, err, h.Now().Sub(start))
		if v.buffer != nil {
			bodies.Put(v.buffer)
		}
	}
}

// settle gives an error its status and a few words that tell a stranger
// nothing.
func (v *visit) settle(err error) {
	if err == nil {
		return
	}
	if v.status == 0 {
		v.status = status(err)
	}
	switch ats.FaultOf(err) {
	case ats.NotFound:
		v.outcome, v.reply = "unknown", "no such address\n"
	case ats.Denied:
		v.reply = "signature refused\n"
		if v.outcome == "" {
			v.outcome = "denied"
		}
	case ats.TooLarge:
		v.outcome, v.reply = "too_large", "too large\n"
	case ats.Invalid:
		v.outcome, v.reply = "invalid", "unreadable request\n"
	case ats.Busy:
		v.outcome, v.reply = "busy", "try again later\n"
	default:
		v.outcome, v.reply = "failed", "try again later\n"
	}
}

// seconds is the value of Retry-After.
func seconds(err error) string {
	wait := ats.WaitOf(err)
	if wait <= 0 {
		wait = again
	}
	return strconv.Itoa(int(wait.Round(time.Second).Seconds()))
}

// The values of headers that every answer has.
var (
	nosniff   = []string{"nosniff"}
	plainText = []string{"text/plain; charset=utf-8"}
	jsonText  = []string{"application/json"}
)

// contentType keeps browsers from running what a handshake echoes.
func contentType(reply string) []string {
	if strings.HasPrefix(reply, "{") && json.Valid([]byte(reply)) {
		return jsonText
	}
	return plainText
}

// report writes one line and counts. Failures above a bound are only counted: a
// flood must not fill the disk.
func (h *hooks) report(ctx context.Context, v visit, err error, took time.Duration) {
	company := v.company
	if v.vendor == "" {
		company = ""
	}
	h.Metrics.Hook(company, v.vendor, v.outcome, took)
	level := slog.LevelInfo
	if v.status >= http.StatusBadRequest {
		name := "unknown"
		if v.vendor != "" {
			name = v.company + "/" + v.connection
		}
		if !h.lines.pass(name+" "+v.outcome, h.Now()) {
			return
		}
		level = slog.LevelWarn
		if fault := ats.FaultOf(err); fault == ats.Busy || fault == "" && err != nil {
			level = slog.LevelError // ours
		}
	}
	attrs := []slog.Attr{
		slog.String("company", plainName(v.company)), slog.String("connection", plainName(v.connection)), slog.String("vendor", v.vendor),
		slog.String("outcome", v.outcome), slog.Int("status", v.status), slog.Int("bytes", v.size), slog.Float64("took_ms", float64(took.Microseconds())/1000),
	}
	if v.secret > 0 && err == nil {
		attrs = append(attrs, slog.Int("secret", v.secret))
	}
	if v.delivery != "" {
		attrs = append(attrs, slog.String("delivery", v.delivery))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	h.Log.LogAttrs(ctx, level, "webhook answered", attrs...)
}

// plainName lets into the log what can be the name of a company or connection:
// the path of a stranger's request may hold anything.
func plainName(s string) string {
	if len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return "?"
	}
	return s
}

// webhook takes a vendor's delivery, or answers its test of the address.
func (h *hooks) webhook(c *gin.Context, v *visit) error {
	if c.Request.ContentLength > maxBody {
		return ats.Errorf(ats.TooLarge, "the body has more than %d bytes", maxBody)
	}
	company, conn, err := h.connect(v)
	if err != nil {
		return err
	}
	p, err := h.payload(c, v, maxBody)
	if err != nil {
		return err
	}
	if shaker, ok := conn.(connectors.Handshaker); ok {
		if reply, ok := shaker.Handshake(p); ok {
			v.outcome, v.status, v.reply = "handshake", http.StatusOK, string(reply)
			v.header = answerTo(conn, p).Header
			return nil
		}
	}
	if c.Request.Method != http.MethodPost {
		c.Header("Allow", http.MethodPost)
		v.outcome, v.status, v.reply = "method", http.StatusMethodNotAllowed, "only POST\n"
		return nil
	}
	door, ok := conn.(connectors.Receiver)
	if !ok {
		return ats.Errorf(ats.NotFound, "this connection takes no webhooks")
	}
	good, denied := http.StatusOK, http.StatusUnauthorized
	if a, ok := conn.(connectors.Acknowledger); ok {
		good, denied = a.Statuses()
	}
	if v.secret, err = connectors.Verified(door, p); err != nil {
		if ats.FaultOf(err) == ats.Denied {
			v.status = denied
			h.keepRefused(c, v, company, p, err)
		}
		return err
	}
	d := connectors.Delivery{Company: v.company, Connection: v.connection, Door: connectors.Webhook, Key: dedupeKey(conn, p, c.Request.URL.RawQuery), Payload: kept(redacted(conn, p))}
	secret := ""
	if v.secret > 0 {
		secret = company.Connections[v.connection].SecretName(v.secret - 1)
	}
	if err := h.keep(c, v, record.Arrival{Delivery: d, Vendor: v.vendor, Disposition: record.New, Keep: company.Retention.Deliveries.Std(), Secret: secret}); err != nil {
		return err
	}
	h.noteSecret(c, v, secret)
	reply := answerTo(conn, p)
	v.status, v.header = good, reply.Header
	if reply.Body != nil {
		v.reply = string(reply.Body)
	}
	return nil
}

// noteSecret notes now and then which secret fits, so that it shows when an old
// one is no longer used. The delivery is kept already, whatever happens here.
func (h *hooks) noteSecret(c *gin.Context, v *visit, secret string) {
	if secret == "" || !h.secrets.pass(v.company+"/"+v.connection+" "+secret, h.Now()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), time.Second)
	defer cancel()
	if err := h.Inbox.NoteSecret(ctx, v.company, v.connection, secret); err != nil {
		h.Log.WarnContext(ctx, "the use of a secret was not noted", "company", v.company, "connection", v.connection, "err", err)
	}
}

// answerTo is what the vendor wants to read besides the status.
func answerTo(conn connectors.Connector, p connectors.Payload) connectors.Reply {
	if r, ok := conn.(connectors.Replier); ok {
		return r.Reply(p)
	}
	return connectors.Reply{}
}

// connect finds the connection that the address names.
func (h *hooks) connect(v *visit) (*configs.Company, connectors.Connector, error) {
	company, err := h.company(v.company)
	if err != nil {
		return nil, nil, err
	}
	settings, ok := company.Connections[v.connection]
	if !ok {
		return nil, nil, ats.Errorf(ats.NotFound, "the company has no such connection")
	}
	conn, err := h.Open(v.company, v.connection)
	if err != nil {
		return nil, nil, err
	}
	v.vendor = settings.Vendor
	return company, conn, nil
}

// company finds a company. Its name comes from a stranger's request and may be
// anything, so it does not stand in the error.
func (h *hooks) company(id string) (*configs.Company, error) {
	company, err := h.tenant(id)
	if ats.FaultOf(err) == ats.NotFound {
		err = ats.Errorf(ats.NotFound, "no such company")
	}
	return company, err
}

// keep saves an arrival; when it returns nil, the commit is done.
func (h *hooks) keep(c *gin.Context, v *visit, a record.Arrival) error {
	ctx, span := traced(c.Request)
	defer span.End()
	a.Trace = traceparent(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saving)
	defer cancel()
	id, err := h.Inbox.SaveDelivery(ctx, a)
	switch {
	case err == nil:
		v.delivery, v.outcome = id, "kept"
	case ats.FaultOf(err) == ats.Duplicate:
		v.outcome = "duplicate" // a success to whoever sends it again
	default:
		return err
	}
	v.status, v.reply = http.StatusOK, "ok\n"
	return nil
}

// keepRefused keeps a delivery with a bad signature for a person to look at, if
// the connection wants that. Its key differs from that of a good delivery:
// otherwise a forgery could take the place of the real one.
func (h *hooks) keepRefused(c *gin.Context, v *visit, company *configs.Company, p connectors.Payload, cause error) {
	keep := company.Connections[v.connection].Quarantine.Std()
	if keep <= 0 || !h.quarantine.pass(v.company+"/"+v.connection, h.Now()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), saving)
	defer cancel()
	held := connectors.Payload{Header: keptHeader(p.Header, "Authorization"), Query: p.Query, Body: p.Body, Received: p.Received}
	id, err := h.Inbox.SaveDelivery(ctx, record.Arrival{
		Delivery: connectors.Delivery{
			Company: v.company, Connection: v.connection, Door: connectors.Webhook,
			Key: "refused " + digest(p.Body, c.Request.URL.RawQuery), Payload: held,
		},
		Vendor: v.vendor, Disposition: record.Quarantined, Reason: cause.Error(), Keep: keep,
	})
	if err == nil {
		v.delivery, v.outcome = id, "quarantined"
	}
}

// feedback takes the mail provider's events about a company's mails.
func (h *hooks) feedback(c *gin.Context, v *visit) error {
	v.connection = mailConnection
	if c.Request.ContentLength > maxEvents {
		return ats.Errorf(ats.TooLarge, "the body has more than %d bytes", maxEvents)
	}
	company, err := h.company(v.company)
	if err != nil {
		return err
	}
	v.vendor = "sendgrid"
	if company.Mail.EventKey == "" {
		return ats.Errorf(ats.NotFound, "mail.event_key is not configured: without it nobody can tell who sent these events")
	}
	p, err := h.payload(c, v, maxEvents)
	if err != nil {
		return err
	}
	if err := mail.VerifyEvents(company.Mail.EventKey, p.Header, p.Body); err != nil {
		return err
	}
	d := connectors.Delivery{Company: v.company, Connection: v.connection, Door: connectors.Mail, Key: digest(p.Body, ""), Payload: kept(p)}
	return h.keep(c, v, record.Arrival{Delivery: d, Vendor: v.vendor, Disposition: record.New, Keep: company.Retention.Deliveries.Std()})
}

// payload reads the request once, as it is: a compressed body stays compressed,
// because the signature covers those bytes.
func (h *hooks) payload(c *gin.Context, v *visit, limit int64) (connectors.Payload, error) {
	p := connectors.Payload{Header: c.Request.Header, Received: h.Now()}
	if !fits(p.Header) {
		v.status = http.StatusRequestHeaderFieldsTooLarge
		return p, ats.Errorf(ats.TooLarge, "the request has more than %d headers or %d bytes of them", maxHeaders, maxHeader)
	}
	if c.Request.URL.RawQuery != "" {
		p.Query = c.Request.URL.Query()
	}
	var err error
	p.Body, err = readBody(c, v, limit)
	v.size = len(p.Body)
	return p, err
}

func fits(h http.Header) bool {
	count, size := 0, 0
	for name, values := range h {
		for _, value := range values {
			count++
			size += len(name) + len(value)
		}
	}
	return count <= maxHeaders && size <= maxHeader
}

// trusted is how much memory a request gets for announcing a length; above it
// the buffer grows with what really arrives.
const trusted = 64 << 10

// bodies keeps the memory of bodies of usual size: what is kept of a body is
// encrypted before the answer.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

func readBody(c *gin.Context, v *visit, limit int64) (body []byte, err error) {
	r := c.Request
	if r.ContentLength >= 0 && r.ContentLength <= trusted {
		v.buffer = bodies.Get().(*[]byte) //nolint:forcetypeassert // nothing else is put there
		*v.buffer = slices.Grow((*v.buffer)[:0], int(r.ContentLength))
		body = (*v.buffer)[:r.ContentLength]
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(http.MaxBytesReader(c.Writer, r.Body, limit))
	}
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, ats.Errorf(ats.TooLarge, "the body has more than %d bytes", limit)
	}
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "the body ended before its announced length") // err may hold addresses
	}
	return body, nil
}

// unkept are headers that neither decoding nor a second look at the signature
// needs: credentials, what belongs to the connection, and who forwarded it.
var unkept = []string{
	"Authorization", "Cookie", "Set-Cookie", "Proxy-Authorization", "Proxy-Authenticate", "Proxy-Connection",
	"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
	"Accept", "Accept-Encoding", "Accept-Language", "Via", "Forwarded", "X-Real-Ip",
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-Server",
}

// keptHeader returns the headers that stay with a delivery: all but unkept,
// save those named.
func keptHeader(h http.Header, save ...string) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		if !slices.Contains(unkept, name) || slices.Contains(save, name) {
			out[name] = values
		}
	}
	for value := range strings.SplitSeq(h.Get("Connection"), ",") {
		delete(out, http.CanonicalHeaderKey(strings.TrimSpace(value)))
	}
	return out
}

// redacted returns p without what its vendor's connector wants not kept.
func redacted(conn connectors.Connector, p connectors.Payload) connectors.Payload {
	if r, ok := conn.(connectors.Redactor); ok {
		return r.Redact(p)
	}
	return p
}

// kept returns p as it is stored once its signature was checked.
func kept(p connectors.Payload) connectors.Payload {
	p.Header = keptHeader(p.Header)
	return p
}

// maxKey bounds a vendor's own id of a delivery; a longer one is hashed.
const maxKey = 128

// dedupeKey is what a redelivery has in common with the delivery before.
func dedupeKey(conn connectors.Connector, p connectors.Payload, query string) string {
	if named, ok := conn.(connectors.Identifier); ok {
		switch key := named.Key(p); {
		case key == "":
		case len(key) > maxKey:
			return digest([]byte(key), "")
		default:
			return key
		}
	}
	return digest(p.Body, query)
}

// digest is the key of a payload without a name. Some vendors send everything
// in the query, so it counts too.
func digest(body []byte, query string) string {
	sum := sha256.New()
	_, _ = sum.Write(body)
	if query != "" {
		_, _ = io.WriteString(sum, "\x00"+query)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// tracer follows the provider that is set when the process starts.
var tracer = otel.Tracer("careerrelay/web")

// traced continues the sender's trace.
func traced(r *http.Request) (context.Context, trace.Span) {
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	return tracer.Start(ctx, "webhook", trace.WithSpanKind(trace.SpanKindServer))
}

// traceparent writes the trace of ctx down for the job that follows. Without a
// trace it starts one, so that the steps of one delivery can be found together.
func traceparent(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		carrier := propagation.MapCarrier{}
		propagation.TraceContext{}.Inject(ctx, carrier)
		return carrier["traceparent"]
	}
	var id [24]byte
	_, _ = rand.Read(id[:]) // crypto/rand never fails
	return "00-" + hex.EncodeToString(id[:16]) + "-" + hex.EncodeToString(id[16:]) + "-00"
}
