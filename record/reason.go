package record

import (
	"strings"

	"github.com/career-relay/connector/ats"
)

// NeedReason returns the reason of a deed without the blanks around it. A deed
// that nobody gave a reason for is an ats.Invalid error.
func NeedReason(reason string) (string, error) {
	if reason = strings.TrimSpace(reason); reason == "" {
		return "", ats.Errorf(ats.Invalid, "reason: required; it is kept in the audit log")
	}
	return reason, nil
}
