package sending

import "time"

// ByAct reports whether the act's rules alone make the date of t a day off.
func ByAct(t time.Time) bool { return byAct(dayOf(t)) }
