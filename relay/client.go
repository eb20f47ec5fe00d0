package relay

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
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
	body, err := c.send(req, r.ID)
	if err != nil {
		return Receipt{}, err
	}
	return receipt(body), nil
}

func (c *Client) request(ctx context.Context, r Recipient, id string, message any) (*http.Request, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return nil, errors.New("the referral cannot be written as JSON")
	}
	return c.signed(ctx, Hook{URL: r.URL, Secrets: r.Secrets}, id, body)
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
