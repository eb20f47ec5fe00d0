package sending

import "fmt"

// The brakes that the fate of a company's mails opens. While one is on, nothing
// of the company leaves; a person closes it.
const (
	BrakeBounces    = "bounces"
	BrakeComplaints = "complaints"
)

// FateWindow is over how many of a company's newest mails its rates are taken.
const FateWindow = 200

// The limits. Mailbox providers begin to refuse whom they see above them; a
// rate over a handful of mails says nothing.
const (
	fateFloor       = 50 // mails that a rate needs
	maxBounceRate   = 50 // of a thousand that the provider took: 5 %
	maxComplainRate = 1  // of a thousand that were delivered: 0.1 %
)

// A Fate is what became of the newest mails of a company, as its provider
// tells it. Mails from before a brake was last closed do not count again.
type Fate struct {
	Accepted   int // taken by the provider
	Bounced    int // of these: the mailbox does not exist, or refused for good
	Delivered  int // of these: in a mailbox
	Complained int // of those delivered: called junk by the recipient
}

// Bounces reports whether too many mails bounce, and how many do.
func (f Fate) Bounces() (cause string, trips bool) {
	return fmt.Sprintf("bounced: %d of %d", f.Bounced, f.Accepted), beyond(f.Bounced, f.Accepted, maxBounceRate)
}

// Complaints reports whether too many recipients complain, and how many do.
// Because a company's window is small, one complaint in it is above the limit.
func (f Fate) Complaints() (cause string, trips bool) {
	return fmt.Sprintf("complained: %d of %d", f.Complained, f.Delivered), beyond(f.Complained, f.Delivered, maxComplainRate)
}

// beyond reports whether part of all is more than limit of a thousand.
func beyond(part, all, limit int) bool { return all >= fateFloor && part*1000 > limit*all }
