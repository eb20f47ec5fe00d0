package record

import "time"

// A Pulse is what is open now and what came in lately. It leaves out what is
// finished, so that reading it costs as much as there is open work and not as
// much as there is history.
type Pulse struct {
	Open     map[string]Counts         // by company
	Received map[string]map[string]int // deliveries by company and disposition
	Backlog  map[string]Backlog        // by queue
	NextMail time.Time                 // when the next mail may leave; zero when none waits
}

// A Backlog is the work of a queue that could run now.
type Backlog struct {
	Due    int
	Oldest time.Time // since when the longest waiting job is due
}

// NewCounts returns counts that are all zero.
func NewCounts() Counts {
	return Counts{Deliveries: map[string]int{}, Mails: map[string]int{}, Jobs: map[string]int{}, Referrals: map[string]int{}}
}

// Of sums up what is open in one company, or in all when company is empty.
func (p Pulse) Of(company string) Counts {
	sum := NewCounts()
	for id, c := range p.Open {
		if company != "" && id != company {
			continue
		}
		for _, pair := range [][2]map[string]int{{sum.Deliveries, c.Deliveries}, {sum.Mails, c.Mails}, {sum.Jobs, c.Jobs}, {sum.Referrals, c.Referrals}} {
			for state, n := range pair[1] {
				pair[0][state] += n
			}
		}
	}
	return sum
}
