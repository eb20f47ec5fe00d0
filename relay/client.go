package relay

import (
	"context"
	"net/http"
	"time"
)

// A Client hands referrals to recipients as signed Standard Webhooks.
type Client struct {
	HTTP *http.Client
	Now  func() time.Time
}

// Hand gives ref to r once and classes the answer by fault.
func (c *Client) Hand(ctx context.Context, r Recipient, ref Referral) (Receipt, error) {
	return Receipt{}, nil
}
