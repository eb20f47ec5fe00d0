package mailtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"unicode"
)

// A request is the body of POST /v3/mail/send, as far as the connector may use
// it; a key that is not here is refused.
type request struct {
	Personalizations []struct {
		To []party `json:"to"`
	} `json:"personalizations"`
	From    party  `json:"from"`
	ReplyTo *party `json:"reply_to"`
	Subject string `json:"subject"`
	Content []struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	} `json:"content"`
	Headers      map[string]string `json:"headers"`
	Categories   []string          `json:"categories"`
	CustomArgs   map[string]string `json:"custom_args"`
	MailSettings struct {
		Sandbox struct {
			Enable bool `json:"enable"`
		} `json:"sandbox_mode"`
	} `json:"mail_settings"`
	Tracking struct {
		Click struct {
			enabled
			Text *bool `json:"enable_text"`
		} `json:"click_tracking"`
		Open         enabled `json:"open_tracking"`
		Subscription enabled `json:"subscription_tracking"`
		Analytics    enabled `json:"ganalytics"`
	} `json:"tracking_settings"`
}

type enabled struct {
	Enable *bool `json:"enable"`
}

type party struct {
	Email string `json:"email"`
	Name  string `json:"name"`
}

// The documented limits.
const (
	maxRecipients = 1000
	maxCategories = 10
	maxCategory   = 255
	maxArgs       = 10_000
)

// reserved are the headers that a caller may not set.
var reserved = []string{
	"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding",
	"to", "from", "subject", "reply-to", "cc", "bcc",
}

type judged struct {
	Mail
	sandbox bool
}

// judge decides about a request as the vendor documents it.
func (s *SendGrid) judge(r *http.Request, body []byte) (judged, *refusal) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.URL.Path != "/v3/mail/send":
		return judged{}, &refusal{http.StatusNotFound, "", "not found"}
	case r.Method != http.MethodPost:
		return judged{}, &refusal{http.StatusMethodNotAllowed, "", "method not allowed"}
	case r.Header.Get("Authorization") != "Bearer "+string(Key):
		return judged{}, &refusal{http.StatusUnauthorized, "", "The provided authorization grant is invalid, expired, or revoked"}
	case media != "application/json":
		return judged{}, &refusal{http.StatusUnsupportedMediaType, "", "Content-Type should be application/json."}
	case len(body) > maxBody:
		return judged{}, &refusal{http.StatusRequestEntityTooLarge, "", "The JSON payload you have included in your request is too large."}
	}
	var req request
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		return judged{}, &refusal{http.StatusBadRequest, "", "Bad Request: " + err.Error()}
	}
	if f := req.check(); f != nil {
		return judged{}, f
	}
	if len(s.Senders) > 0 && !slices.Contains(s.Senders, req.From.Email) {
		return judged{}, &refusal{http.StatusForbidden, "from", "The from address does not match a verified Sender Identity."}
	}
	return judged{Mail: req.mail(body), sandbox: req.MailSettings.Sandbox.Enable}, nil
}

func (q request) mail(body []byte) Mail {
	to := q.Personalizations[0].To[0]
	m := Mail{
		SendID: q.CustomArgs["cr_send"], To: to.Email, ToName: to.Name, From: q.From.Email, FromName: q.From.Name, Subject: q.Subject,
		Header: q.Headers, Category: q.Categories, Args: q.CustomArgs, Body: body,
	}
	for _, on := range []*bool{q.Tracking.Click.Enable, q.Tracking.Click.Text, q.Tracking.Open.Enable, q.Tracking.Subscription.Enable, q.Tracking.Analytics.Enable} {
		m.Tracked = m.Tracked || on == nil || *on
	}
	if q.ReplyTo != nil {
		m.ReplyTo = q.ReplyTo.Email
	}
	for _, c := range q.Content {
		switch c.Type {
		case "text/plain":
			m.Text = c.Value
		case "text/html":
			m.HTML = c.Value
		}
	}
	return m
}

// check applies the documented limits.
func (q request) check() *refusal {
	bad := func(field, format string, args ...any) *refusal {
		return &refusal{http.StatusBadRequest, field, fmt.Sprintf(format, args...)}
	}
	if n := len(q.Personalizations); n < 1 || n > maxRecipients {
		return bad("personalizations", "The personalizations field is required and must have 1 to %d objects.", maxRecipients)
	}
	total := 0
	for i, p := range q.Personalizations {
		seen := map[string]bool{}
		total += len(p.To)
		if len(p.To) == 0 {
			return bad(fmt.Sprintf("personalizations.%d.to", i), "The to array is required.")
		}
		for j, to := range p.To {
			field := fmt.Sprintf("personalizations.%d.to.%d.email", i, j)
			switch address := strings.ToLower(to.Email); {
			case !valid(to.Email):
				return bad(field, "Does not contain a valid address: %s", to.Email)
			case seen[address]:
				return bad(field, "Each email address in the personalization block should be unique. %s was given twice.", to.Email)
			default:
				seen[address] = true
			}
			if strings.ContainsAny(to.Name, ",;") || strings.ContainsFunc(to.Name, unicode.IsControl) {
				return bad(strings.TrimSuffix(field, "email")+"name", "The name may not contain , or ;: %s", to.Name)
			}
		}
	}
	if total > maxRecipients {
		return bad("personalizations", "No more than %d recipients.", maxRecipients)
	}
	switch {
	case !valid(q.From.Email):
		return bad("from.email", "The from object must be provided with a valid address.")
	case q.ReplyTo != nil && !valid(q.ReplyTo.Email):
		return bad("reply_to.email", "The reply_to email does not contain a valid address.")
	case q.Subject == "" || strings.ContainsFunc(q.Subject, unicode.IsControl):
		return bad("subject", "The subject is required and must be one line.")
	case len(q.Categories) > maxCategories:
		return bad("categories", "No more than %d categories.", maxCategories)
	}
	return q.checkContent(bad)
}

func (q request) checkContent(bad func(field, format string, args ...any) *refusal) *refusal {
	if len(q.Content) == 0 {
		return bad("content", "Unless a valid template_id is provided, the content parameter is required.")
	}
	for i, c := range q.Content {
		switch {
		case c.Type == "" || c.Value == "":
			return bad(fmt.Sprintf("content.%d.value", i), "The content value must be a string at least one character in length.")
		case c.Type == "text/plain" && i > 0:
			return bad(fmt.Sprintf("content.%d.type", i), "If present, text/plain must be first.")
		}
	}
	for i, c := range q.Categories {
		if len(c) > maxCategory || slices.Index(q.Categories, c) != i {
			return bad("categories", "Categories must be unique and at most %d characters.", maxCategory)
		}
	}
	size := 0
	for name, value := range q.CustomArgs {
		size += len(name) + len(value)
	}
	if size > maxArgs {
		return bad("custom_args", "The custom_args may not exceed %d bytes.", maxArgs)
	}
	for name, value := range q.Headers {
		if slices.Contains(reserved, strings.ToLower(name)) || strings.ContainsFunc(name+value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return bad("headers."+name, "The header is reserved or not plain ASCII.")
		}
	}
	return nil
}

// valid accepts what the vendor does: the old carrier addresses in quotes only.
func valid(address string) bool {
	a, err := mail.ParseAddress(address)
	return err == nil && a.Name == "" && !strings.ContainsAny(address, "<> ")
}
