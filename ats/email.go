package ats

import (
	"strings"
	"unicode"
)

// Codes of Event.Problems: what was wrong with a vendor's data. A problem never
// loses the event; it makes a person look or leaves the mail unwritten.
const (
	EmailMissing = "email_missing"
	EmailInvalid = "email_invalid"
	EmailSeveral = "email_several" // several in one field: nobody knows whose
	EmailReview  = "email_review"  // usable, but corrected here or perhaps not the candidate's own

	EmbargoUnknown = "embargo_unknown" // from when on the candidate may be told was not said
)

// ParseEmail reads an address as people in Japan have them. The old carrier
// forms with leading, trailing or doubled dots are accepted: they are in use.
// The domain is lower-cased, the local part kept as it is. What had to be
// corrected (full-width typing, a domain in Japanese) is corrected, and a person
// looks. problem is one of the codes above, "" for a plain address; the address
// is empty unless it can be used.
func ParseEmail(raw string) (address Email, problem string) {
	typed := strings.Trim(raw, " \t\u00a0\u3000\u200b\ufeff")
	s := fold(typed)
	if s == "" {
		return "", EmailMissing
	}
	if strings.Count(s, "@") > 1 && strings.ContainsAny(s, ",;/|、 \t\r\n") {
		return "", EmailSeveral
	}
	local, domain := parts(s)
	local = unquote(local)
	ascii, ok := asciiDomain(strings.ToLower(domain))
	if !ok || !validLocal(local) || len(local)+1+len(ascii) > maxAddress {
		return "", EmailInvalid
	}
	if s != typed || ascii != strings.ToLower(domain) || notOwn(strings.ToLower(local), ascii) {
		problem = EmailReview
	}
	return Email(local + "@" + ascii), problem
}

// Limits of an address in bytes; mail servers refuse longer ones.
const (
	maxLocal   = 64
	maxLabel   = 63
	maxDomain  = 253
	maxAddress = 254
)

// fold turns full-width letters, signs and dots into ASCII.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～':
			return r - '！' + '!'
		case r == '。' || r == '｡':
			return '.'
		}
		return r
	}, s)
}

// parts cuts an address at its last @; without one there is no domain.
func parts(address string) (local, domain string) {
	i := strings.LastIndex(address, "@")
	if i < 0 {
		return address, ""
	}
	return address[:i], address[i+1:]
}

// unquote takes the quotes away that some systems put around an old carrier form.
func unquote(local string) string {
	if n := len(local); n > 2 && local[0] == '"' && local[n-1] == '"' {
		return local[1 : n-1]
	}
	return local
}

func validLocal(s string) bool {
	return s != "" && len(s) <= maxLocal && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+-/=?^_`{|}~") == ""
}

// asciiDomain checks a domain and writes an international one in ASCII.
func asciiDomain(s string) (string, bool) {
	labels := strings.Split(s, ".")
	for i, l := range labels {
		if strings.IndexFunc(l, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
			if strings.IndexFunc(l, notInDomain) >= 0 {
				return "", false
			}
			l = "xn--" + punycode(l)
			labels[i] = l
		}
		if l == "" || len(l) > maxLabel || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", false
		}
	}
	top := labels[len(labels)-1]
	s = strings.Join(labels, ".")
	return s, len(labels) > 1 && len(top) > 1 && len(s) <= maxDomain && strings.Trim(top, "0123456789") != ""
}

// notInDomain reports whether r cannot stand in a domain as it is. Half-width
// kana and loose voicing marks would need a rewriting that is left to a person.
func notInDomain(r rune) bool {
	switch {
	case r == '-' || r == '・':
		return false
	case r >= '｡' && r <= 'ﾟ', r == '\u3099', r == '\u309a':
		return true
	}
	return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
}

// shared are mailboxes that belong to a function, not to a person.
var shared = map[string]bool{
	"info": true, "contact": true, "support": true, "office": true, "admin": true, "sales": true, "hr": true, "jobs": true, "career": true,
	"careers": true, "recruit": true, "recruiting": true, "recruitment": true, "saiyo": true, "saiyou": true, "jinji": true, "agent": true,
	"postmaster": true, "webmaster": true, "abuse": true, "mailerdaemon": true, "root": true,
}

// notOwn reports whether an address is perhaps not the candidate's own: nobody
// reads it, many read it, or a job board passes it on.
func notOwn(local, domain string) bool {
	box := strings.NewReplacer("-", "", "_", "", ".", "").Replace(local)
	if shared[box] || strings.HasPrefix(box, "noreply") || strings.HasPrefix(box, "donotreply") || strings.HasSuffix(box, "noreply") {
		return true
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "reply" || label == "indeedemail" || strings.Contains(label, "relay") {
			return true
		}
	}
	return false
}

// Quoted returns the address as mail protocols want it: the local part of an
// old carrier form is put in quotes.
func (e Email) Quoted() string {
	local, domain := parts(string(e))
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return `"` + local + `"@` + domain
	}
	return string(e)
}
