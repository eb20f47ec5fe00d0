// Package api calls the vendors' APIs; their answers become faults.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// Limits of a call.
const (
	MaxBody        = 8 << 20 // bytes of an answer
	defaultTimeout = 20 * time.Second
)

// Options says how a vendor's API is called.
type Options struct {
	// Base is the address that paths are appended to. It must be https, unless
	// it is this machine.
	Base  string
	Auth  Auth
	OAuth *OAuth // in place of Auth
	// Header is sent with every call: a version, an account.
	Header http.Header
	// Rate is how many calls the vendor allows per second, and Burst how many
	// at once; 0 is no limit.
	Rate    float64
	Burst   int
	Timeout time.Duration // of one call; default 20 s
}

// A Client calls one host in the name of one connection. It may be used
// concurrently. Its errors hold no address of a person, no parameter and no
// secret.
type Client struct {
	http    http.Client
	base    *url.URL
	auth    Auth
	tokens  *tokens // of OAuth
	header  http.Header
	limit   *rate.Limiter
	timeout time.Duration
	now     func() time.Time
}

// New makes a client that works with what the service lends.
func New(env connectors.Env, o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(o.Base, "/"))
	switch {
	case err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, ats.Errorf(ats.Invalid, "api_url: want an address like https://api.example.com/v1")
	case base.Scheme != "https" && (base.Scheme != "http" || !local(base.Hostname())):
		return nil, ats.Errorf(ats.Invalid, "api_url: must begin with https://")
	case env.HTTP == nil || env.Now == nil:
		return nil, errors.New("no HTTP client or no clock was lent")
	}
	c := &Client{http: *env.HTTP, base: base, auth: o.Auth, header: o.Header, timeout: o.Timeout, now: env.Now}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if o.OAuth != nil {
		if c.tokens, err = newTokens(env, *o.OAuth); err != nil {
			return nil, err
		}
		c.auth = c.tokens.auth
	}
	if o.Rate > 0 {
		c.limit = rate.NewLimiter(rate.Limit(o.Rate), max(o.Burst, 1))
	}
	return c, nil
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Get reads path into out, in which numbers of any type keep their digits.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	_, err := c.Do(ctx, http.MethodGet, path, query, nil, out)
	return err
}

// Post sends in as JSON, nothing when it is nil, and reads the answer into out. An answer that never
// came is ats.Busy: it is for calls that may be repeated, such as the reads
// that some vendors do by POST.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	return c.write(ctx, http.MethodPost, path, in, out, ats.Busy)
}

// Create is Post for what must not be done twice: when nobody can tell whether
// the vendor did it, the error is ats.Unclear.
func (c *Client) Create(ctx context.Context, path string, in, out any) error {
	return c.write(ctx, http.MethodPost, path, in, out, ats.Unclear)
}

// CreateWith is Create with parameters.
func (c *Client) CreateWith(ctx context.Context, path string, query url.Values, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("writing the call: %w", err)
	}
	_, err = c.do(ctx, http.MethodPost, path, query, body, out, ats.Unclear)
	return err
}

// Put is Post by another method.
func (c *Client) Put(ctx context.Context, path string, in, out any) error {
	return c.write(ctx, http.MethodPut, path, in, out, ats.Busy)
}

// Delete removes something; what is not there any more is no error.
func (c *Client) Delete(ctx context.Context, path string, query url.Values) error {
	_, err := c.Do(ctx, http.MethodDelete, path, query, nil, nil)
	if ats.FaultOf(err) == ats.NotFound {
		return nil
	}
	return err
}

func (c *Client) write(ctx context.Context, method, path string, in, out any, lost ats.Fault) error {
	var body []byte
	var err error
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("writing the call: %w", err)
		}
	}
	_, err = c.do(ctx, method, path, nil, body, out, lost)
	return err
}

// Do makes one call and returns the headers of its answer. A nil out leaves the
// answer unread; an answer without content leaves out as it is.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body []byte, out any) (http.Header, error) {
	return c.do(ctx, method, path, query, body, out, ats.Busy)
}

// do makes one call; lost is the fault of one of which nobody knows whether it
// was done.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body []byte, out any, lost ats.Fault) (http.Header, error) {
	call := method + " " + c.base.Host + masked(path)
	if c.limit != nil {
		if err := c.limit.Wait(ctx); err != nil {
			return nil, ats.Errorf(ats.Busy, "%s: waited too long for its turn", call)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answer, err := c.send(ctx, method, path, query, body)
	switch _, tried := errors.AsType[*url.Error](err); {
	case err == nil:
	case !tried || ats.FaultOf(err) != "": // nothing was sent, or the service does not let it out
		return nil, fmt.Errorf("%s: %w", call, plain(err))
	case unreached(err):
		return nil, ats.Errorf(ats.Busy, "%s: no connection: %w", call, plain(err))
	default:
		return nil, ats.Errorf(lost, "%s: no answer: %w", call, plain(err))
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, MaxBody+1))
	switch {
	case err != nil:
		return nil, ats.Errorf(lost, "%s: the answer broke off", call)
	case lost != ats.Busy && answer.StatusCode >= 500:
		return answer.Header, ats.Errorf(lost, "%s: %d", call, answer.StatusCode)
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		return answer.Header, c.fault(call, answer)
	case len(text) > MaxBody:
		return nil, ats.Errorf(ats.TooLarge, "%s: the answer has more than %d MiB", call, MaxBody>>20)
	case out == nil || answer.StatusCode == http.StatusNoContent:
		return answer.Header, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(out) != nil { // its errors quote the answer
		return nil, ats.Errorf(ats.Invalid, "%s: the answer is not the JSON that this connector knows", call)
	}
	return answer.Header, nil
}

// send makes the call, and once more with a new token when the vendor no longer
// takes the old one.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Response, error) {
	r, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil || answer.StatusCode != http.StatusUnauthorized || c.tokens == nil {
		return answer, err
	}
	_ = answer.Body.Close()
	c.tokens.drop(r)
	if r, err = c.request(ctx, method, path, query, body); err != nil {
		return nil, err
	}
	return c.http.Do(r)
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Request, error) {
	u := *c.base
	raw := u.EscapedPath() + path
	var err error
	if u.Path, err = url.PathUnescape(raw); err != nil || strings.ContainsAny(path, "?#") {
		return nil, ats.Errorf(ats.Invalid, "the path cannot be used")
	}
	u.RawPath, u.RawQuery = raw, query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "the call cannot be made")
	}
	for name := range c.header {
		r.Header.Set(name, c.header.Get(name))
	}
	r.Header.Set("Accept", or(r.Header.Get("Accept"), "application/json"))
	r.Header.Set("User-Agent", "career-relay-connector")
	if body != nil {
		r.Header.Set("Content-Type", or(r.Header.Get("Content-Type"), "application/json"))
	}
	if c.auth != nil {
		if err := c.auth(ctx, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// masked is a path that can stand in an error: of each part that may be an id
// or an address only a mark is left.
func masked(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.") != "" {
			parts[i] = "…"
		}
	}
	return strings.Join(parts, "/")
}

// unreached reports whether the vendor cannot have seen the call.
func unreached(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// plain is a network error without the address that was called.
func plain(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("it took too long")
	}
	return err
}

// Within takes an address that the vendor gave, of a next page or of an object,
// apart into what Get needs. An address outside of Base is refused: nobody but
// the configuration says where we call.
func (c *Client) Within(address string) (path string, query url.Values, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != c.base.Scheme || u.Host != c.base.Host || u.User != nil {
		return "", nil, ats.Errorf(ats.Invalid, "the vendor names an address outside of its API")
	}
	path, ok := strings.CutPrefix(u.EscapedPath(), c.base.EscapedPath())
	if !ok || !strings.HasPrefix(path, "/") || strings.Contains(path, "/..") {
		return "", nil, ats.Errorf(ats.Invalid, "the vendor names an address outside of its API")
	}
	return path, u.Query(), nil
}

// Each calls fetch for one page after the other, beginning with "", until it
// returns no next page. It stops with an error after most pages: a vendor whose
// pages never end must not hold a worker.
func Each(most int, fetch func(page string) (next string, err error)) error {
	page := ""
	for range most {
		next, err := fetch(page)
		if err != nil || next == "" {
			return err
		}
		if next == page {
			return ats.Errorf(ats.Invalid, "the next page is the same page")
		}
		page = next
	}
	return ats.Errorf(ats.TooLarge, "more than %d pages", most)
}
