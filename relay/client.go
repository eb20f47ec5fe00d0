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
	"strings"
	"time"
	"unicode"

	"github.com/career-relay/connector/ats"
)

// A Client hands referrals to recipients as signed Standard Webhooks.
type Client struct {
	HTTP *http.Client
	Now  func() time.Time
}

// Limits of one hand-over.
const (
	handTimeout  = 25 * time.Second
	maxReceipt   = 64 << 10 // bytes of an answer that are read
	maxReference = 200      // characters
	minWait      = 30 * time.Second
	maxWait      = 24 * time.Hour
)

// Hand gives ref to r once. A repeat is always safe, because Webhook-Id is the
// id of the referral and the recipient knows what it has; so nothing is ever
// unclear, and "I have it" (409) is a success. Otherwise the answer is classed:
//
//   - ats.Busy: no answer, 408, 425, 429 or any 5xx: try again, after the time
//     that the recipient asks for, within bounds;
//   - ats.Denied: 401, 403, or an address that may not be reached: the
//     recipient's entry in our configuration is wrong. It is not hidden behind a
//     long wait: repeats show it and end, and heal it when somebody repairs it;
//   - ats.Invalid: the recipient will never take this (any other 4xx), sends us
//     elsewhere (3xx), or the referral cannot be handed over at all.
//
// No error quotes an answer or the profile.
func (c *Client) Hand(ctx context.Context, r Recipient, ref Referral) (Receipt, error) {
	if ref.ID == "" {
		return Receipt{}, ats.Errorf(ats.Invalid, "handing over to %s: the referral has no id", r.ID)
	}
	if len(ref.Consents) == 0 {
		return Receipt{}, ats.Errorf(ats.Invalid, "handing over to %s: the referral carries no consent", r.ID)
	}
	return c.post(ctx, r, ref.ID, ref)
}

// Withdraw tells r of w once. What holds for Hand holds here too.
func (c *Client) Withdraw(ctx context.Context, r Recipient, w Withdrawal) error {
	w.Type = Withdrawn
	_, err := c.post(ctx, r, w.ID+".withdrawn", w)
	return err
}

// post sends one signed message.
func (c *Client) post(ctx context.Context, r Recipient, id string, message any) (Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, handTimeout)
	defer cancel()
	req, err := c.request(ctx, r, id, message)
	if err != nil {
		return Receipt{}, ats.Errorf(ats.Invalid, "handing over to %s: %w", r.ID, err)
	}
	once := *c.HTTP
	once.CheckRedirect = stay
	res, err := once.Do(req)
	if err != nil {
		return Receipt{}, unreached(r, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxReceipt+1)) // the status has decided already
	if err := c.verdict(r, res); err != nil {
		return Receipt{}, err
	}
	return receipt(body), nil
}

func (c *Client) request(ctx context.Context, r Recipient, id string, message any) (*http.Request, error) {
	if len(r.Secrets) == 0 {
		return nil, errors.New("secrets: none to sign with")
	}
	body, err := json.Marshal(message)
	if err != nil {
		return nil, errors.New("the referral cannot be written as JSON")
	}
	now := c.Now()
	signature, err := Sign(r.Secrets[0], id, now, body)
	if err != nil {
		return nil, fmt.Errorf("secrets[0]: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("url: not readable")
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"careerrelay"},
		headerID: {id}, headerTimestamp: {strconv.FormatInt(now.Unix(), 10)}, headerSignature: {signature},
	}
	return req, nil
}

// unreached classes the failure to get any answer.
func unreached(r Recipient, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the address, which may hold a key
	}
	fault := ats.Busy
	if ats.FaultOf(err) == ats.Denied {
		fault = ats.Denied
	}
	return ats.Errorf(fault, "reaching %s: %w", r.ID, err)
}

// verdict classes an answer.
func (c *Client) verdict(r Recipient, res *http.Response) error {
	s := res.StatusCode
	switch {
	case s/100 == 2, s == http.StatusConflict:
		return nil
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return ats.Errorf(ats.Denied, "%s refuses our signature or us: status %d", r.ID, s)
	case s/100 == 5, s == http.StatusTooManyRequests, s == http.StatusTooEarly, s == http.StatusRequestTimeout:
		return ats.BusyFor(c.wait(res.Header.Get("Retry-After")), "%s is busy: status %d", r.ID, s)
	case s/100 == 3:
		return ats.Errorf(ats.Invalid, "%s sends us elsewhere: status %d; correct its url", r.ID, s)
	}
	return ats.Errorf(ats.Invalid, "%s does not take this referral: status %d", r.ID, s)
}

// wait reads Retry-After, seconds or a date; 0 when it says nothing.
func (c *Client) wait(after string) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseUint(after, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(after); err == nil {
		d = at.Sub(c.Now())
	} else {
		return 0
	}
	return min(max(d, minWait), maxWait)
}

// receipt reads the recipient's reference, if there is a usable one.
func receipt(body []byte) Receipt {
	var r Receipt
	if len(body) > maxReceipt || json.Unmarshal(body, &r) != nil {
		return Receipt{}
	}
	runes := []rune(strings.TrimSpace(strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, r.Reference)))
	r.Reference = string(runes[:min(len(runes), maxReference)])
	return r
}
