package mapping

import (
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/career-relay/connector/ats"
)

// endings are the reasons by which an ATS that has one list for both sides
// tells who ended an application; the first that fits counts. What can mean
// both, and what is no reason, is nobody's.
var endings = []struct {
	side   ats.Side
	reason *regexp.Regexp
}{
	{ats.Unknown, regexp.MustCompile(`declin\w* by (us|the )?(company|employer|client|hiring|manager|recruiter)|(not|in)eligib\w* .*withdr`)},
	{ats.Applicant, regexp.MustCompile(`withdr|declin|turned down|dropped out|pulled out|opted out|backed out|rejected by (the )?candidate|candidate (rejected|refused|cancel|chose|decided|left)`)},
	{ats.Applicant, regexp.MustCompile(`(accept|found|took|taken|chose|has|got)\w* (an? )?(other|another|different|new|competing) |(another|other|competing|counter)[ -]?(job|offer)|(no longer|not|lost) interest(ed)?( in|$)|changed (his|her|their) mind|stay\w* (at|with|in) (current|present)`)},
	{ats.Unknown, regexp.MustCompile(`no response|no reply|not respond|unrespons|unreachable|no.?show|ghost|salary|compensation|pay expect|pay range|timing|notice period|location|relocat|commut|remote|visa|personal|^others?$|^misc|^unknown|^none|^n/?a$|(position|role|job|requisition|vacancy|opening) (was |is |has been )?(closed|filled|cancel|(put )?on hold)|hiring freeze|headcount|その他|条件|希望|個人的|一身上|家庭|家族`)},
}

// EndedBy reads a rejection reason that people typed: the candidate when the
// words say so, nobody known when they can mean both, else the company. A
// company should confirm what its own words mean.
func EndedBy(reason string) ats.Side {
	switch OutcomeOf(reason) {
	case OutcomeWithdrawn:
		return ats.Applicant
	case OutcomeRejected, OutcomeUnknown:
	default: // a blank, a closed position, a test …
		return ats.Unknown
	}
	s := strings.ToLower(strings.Join(strings.Fields(norm.NFKC.String(reason)), " "))
	for _, e := range endings {
		if e.reason.MatchString(s) {
			return e.side
		}
	}
	return ats.Company
}

func endedBy(v any) any {
	s, _ := v.(string)
	return string(EndedBy(s))
}
