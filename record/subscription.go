package record

import "time"

// A Subscription is a webhook that its vendor ends unless it is renewed.
type Subscription struct {
	Company    string    `json:"company"`
	Connection string    `json:"connection"`
	Vendor     string    `json:"vendor"`
	ID         string    `json:"id"` // the vendor's
	EndsAt     time.Time `json:"ends_at"`
	RenewedAt  time.Time `json:"renewed_at"`
	DueAt      time.Time `json:"due_at"` // when it is renewed next
	Failures   int       `json:"failures,omitempty"`
	Error      string    `json:"error,omitempty"`   // of the last renewal, "" when it went well
	Alarmed    bool      `json:"alarmed,omitempty"` // the error opened the company's poll brake
}
