package ats

import (
	"net/mail"
	"strings"
	"unicode"
)

// Codes of Event.Problems: what was wrong with a vendor's data. A problem never
// loses the event; it makes a person look or leaves the mail unwritten.
const (
	EmailMissing = "email_missing"
	EmailInvalid = "email_invalid"
	EmailSeveral = "email_several" // several in one field: nobody knows whose
	EmailReview  = "email_review"  // usable, but perhaps not the candidate's own
)

// ParseEmail reads an address as people in Japan have them. The old carrier
// forms with leading, trailing or doubled dots are accepted: they are in use.
// Full-width typing is folded, the domain is lower-cased, the local part kept.
// problem is one of the codes above, "" for a plain address; the address is
// empty unless it can be used.
func ParseEmail(raw string) (address Email, problem string) {
	s := strings.Trim(fold(raw), " \t\u200b\ufeff")
	switch {
	case s == "":
		return "", EmailMissing
	case strings.ContainsAny(s, ",;") || strings.Count(s, "@") > 1 && strings.ContainsAny(s, " /"):
		return "", EmailSeveral
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok || !validLocal(local) {
		return "", EmailInvalid
	}
	domain = strings.ToLower(domain)
	if !validDomain(domain) { // an international domain must be written in ASCII, by a person
		return "", EmailInvalid
	}
	if noReply(local) {
		problem = EmailReview
	}
	return Email(local + "@" + domain), problem
}

// fold turns full-width letters and signs into ASCII.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0xFF01 && r <= 0xFF5E:
			return r - 0xFEE0
		case r == 0x3000 || r == 0x00A0:
			return ' '
		}
		return r
	}, s)
}

func validLocal(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if r > unicode.MaxASCII || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+-/=?^_`{|}~", r) {
			return false
		}
	}
	return true
}

func validDomain(s string) bool {
	labels := strings.Split(s, ".")
	if len(s) > 253 || len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	top := labels[len(labels)-1]
	return len(top) >= 2 && strings.Trim(top, "0123456789") != ""
}

func noReply(local string) bool {
	l := strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(local))
	return strings.HasPrefix(l, "noreply") || strings.HasPrefix(l, "donotreply")
}

// Quoted returns the address as mail protocols want it: the local part of an
// old carrier form is put in quotes.
func (e Email) Quoted() string {
	local, domain, _ := strings.Cut(string(e), "@")
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return (&mail.Address{Address: local + "@" + domain}).String()
	}
	return string(e)
}
