package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/career-relay/connector/ats"
)

// A Hook is an address that takes signed webhooks in the form of Standard
// Webhooks.
type Hook struct {
	URL     string       `yaml:"url"`
	Secrets []ats.Secret `yaml:"secrets"` // whsec_…; the first signs
}

// Validate reports every problem in h, each with the path of its key.
func (h Hook) Validate() error { return errors.Join(append(h.missing(), h.weak()...)...) }

func (h Hook) missing() []error {
	var errs []error
	if !safe(h.URL) {
		errs = append(errs, errors.New("url: want https://…, or http:// on this machine"))
	}
	if len(h.Secrets) == 0 {
		errs = append(errs, errors.New("secrets: required: at least one"))
	}
	return errs
}

func (h Hook) weak() []error {
	var errs []error
	for i, s := range h.Secrets {
		k, err := key(s)
		if err == nil && len(k) < minKey {
			err = fmt.Errorf("too short: want %d bytes or more behind whsec_", minKey)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("secrets[%d]: %w", i, err))
		}
	}
	return errs
}

// Safe reports whether something may be sent to an address: https, or this
// machine.
func Safe(address string) bool { return safe(address) }

// Notify posts body to h once, signed under id, which is the same for every
// repeat. name says whose address it is in errors, which are classed like those
// of Hand.
func (c *Client) Notify(ctx context.Context, name string, h Hook, id string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, handTimeout)
	defer cancel()
	req, err := c.signed(ctx, h, id, body)
	if err != nil {
		return ats.Errorf(ats.Invalid, "notifying %s: %w", name, err)
	}
	_, err = c.send(req, name)
	return err
}

// Say posts text once to an incoming webhook as Slack has it; Mattermost, Google
// Chat and others take the same. The address is a secret and stands in no error.
func (c *Client) Say(ctx context.Context, name string, address ats.Secret, text string) error {
	ctx, cancel := context.WithTimeout(ctx, handTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return ats.Errorf(ats.Invalid, "the text cannot be written as JSON")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(address), bytes.NewReader(body))
	if err != nil || !safe(string(address)) {
		return ats.Errorf(ats.Invalid, "the address of %s is not usable", name)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {agent}}
	_, err = c.send(req, name)
	return err
}

// agent is what we call ourselves.
const agent = "careerrelay"

// signed makes the request of a delivery to h.
func (c *Client) signed(ctx context.Context, h Hook, id string, body []byte) (*http.Request, error) {
	if len(h.Secrets) == 0 {
		return nil, errors.New("secrets: none to sign with")
	}
	now := c.Now()
	signature, err := Sign(h.Secrets[0], id, now, body)
	if err != nil {
		return nil, fmt.Errorf("secrets[0]: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("url: not readable")
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {agent},
		headerID: {id}, headerTimestamp: {strconv.FormatInt(now.Unix(), 10)}, headerSignature: {signature},
	}
	return req, nil
}

// send sends a request, follows no redirect and returns what it may read of the
// answer.
func (c *Client) send(req *http.Request, name string) ([]byte, error) {
	once := *c.HTTP
	once.CheckRedirect = stay
	res, err := once.Do(req)
	if err != nil {
		return nil, unreached(name, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxReceipt+1)) // the status decides
	return body, c.verdict(name, res)
}

// unreached classes the failure to get any answer.
func unreached(name string, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the address, which may hold a key
	}
	fault := ats.Busy
	if ats.FaultOf(err) == ats.Denied {
		fault = ats.Denied
	}
	return ats.Errorf(fault, "reaching %s: %w", name, err)
}

// verdict classes an answer.
func (c *Client) verdict(name string, res *http.Response) error {
	s := res.StatusCode
	switch {
	case s/100 == 2, s == http.StatusConflict:
		return nil
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return ats.Errorf(ats.Denied, "%s refuses our signature or us: status %d", name, s)
	case s/100 == 5, s == http.StatusTooManyRequests, s == http.StatusTooEarly, s == http.StatusRequestTimeout:
		return ats.BusyFor(c.wait(res.Header.Get("Retry-After")), "%s is busy: status %d", name, s)
	case s/100 == 3:
		return ats.Errorf(ats.Invalid, "%s sends us elsewhere: status %d; correct its url", name, s)
	}
	return ats.Errorf(ats.Invalid, "%s does not take this: status %d", name, s)
}
