package record

import (
	"time"

	"github.com/career-relay/connector/rules/alerts"
)

// Vitals are what alerts are judged by, as far as it is kept in SQL.
type Vitals struct {
	Brakes  []Brake              // that are on
	Oldest  map[string]time.Time // since when the longest waiting job of a queue is due
	Dead    map[string]int       // jobs by company, without those of parked deliveries
	Parked  map[string]int       // deliveries
	Unclear map[string]int       // mails
	Heard   map[string]time.Time // when news came last, by company/connection
	Polls   []Poll
}

// A Notice is one word about an alert on its way through one channel. It
// carries the alert as it was when the word fell.
type Notice struct {
	ID        string
	Channel   string
	Word      alerts.Word
	Alert     alerts.Alert
	CreatedAt time.Time
}
