package salesforce

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/connectors/internal/api"
)

// overlap is how far a sweep looks back before the last one: a record gets its
// time before its transaction ends.
const overlap = 30 * time.Minute

// Poll implements connectors.Poller. It finds the records of which no message
// told, or whose message Salesforce gave up after a day.
func (c *Connector) Poll(ctx context.Context, cursor string) ([]connectors.Payload, string, error) {
	return api.Swept(ctx, cursor, c.now(), overlap, c.page)
}

// nextPage is what the address of a further page looks like.
var nextPage = regexp.MustCompile(`^/services/data/v[0-9]{2,3}\.0/query/[A-Za-z0-9-]{1,100}$`)

// page reads one page of the records that were changed.
func (c *Connector) page(ctx context.Context, s api.Sweep) ([]connectors.Payload, string, error) {
	path, query := "/services/data/"+c.set.APIVersion+"/query", url.Values{"q": {c.soql(s.Since)}}
	if s.Page != "" {
		path, query = s.Page, nil
	}
	if s.Page != "" && !nextPage.MatchString(s.Page) {
		return nil, "", ats.Errorf(ats.Invalid, "the cursor names no page")
	}
	var answer struct {
		Done           bool
		NextRecordsURL string
		Records        []map[string]any
	}
	if err := c.api.Get(ctx, path, query, &answer); err != nil {
		return nil, "", err
	}
	if answer.Records == nil {
		return nil, "", ats.Errorf(ats.Invalid, "Salesforce's answer is not a list of records")
	}
	var news []connectors.Payload
	for _, record := range answer.Records {
		id, _ := record["Id"].(string)
		at, _ := record[updated].(string)
		changed, err := time.Parse("2006-01-02T15:04:05.000-0700", at)
		if err != nil || !recordID.MatchString(id) {
			return nil, "", ats.Errorf(ats.Invalid, "a row of Salesforce's answer is no record with its time")
		}
		e := ats.Event{Application: id, At: changed}
		if err := c.fill(&e, record); ats.FaultOf(err) == ats.Duplicate {
			continue // nothing was decided
		}
		p := s.Payload(c.hint(id, at), changed, c.now())
		p.Header = http.Header{"Content-Type": {"text/xml; charset=utf-8"}}
		news = append(news, p)
	}
	switch {
	case answer.Done || answer.NextRecordsURL == "":
		return news, "", nil
	case !nextPage.MatchString(answer.NextRecordsURL):
		return news, "", ats.Errorf(ats.Invalid, "Salesforce names a next page outside of its queries")
	}
	return news, answer.NextRecordsURL, nil
}

// soql asks for the records that were changed since.
func (c *Connector) soql(since time.Time) string {
	names := c.set.Fields.Names()
	for _, needed := range []string{"Id", updated} {
		if !slices.Contains(names, needed) {
			names = append(names, needed)
		}
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s >= %s ORDER BY %s, Id",
		strings.Join(names, ","), c.set.Object, updated, since.UTC().Format("2006-01-02T15:04:05Z"), updated)
}

// hint is the message that would have told of a change. A stranger must not be
// able to take its name before it comes, so it has a code in it.
func (c *Connector) hint(id, at string) []byte {
	mac := hmac.New(sha256.New, []byte(c.set.ClientSecret))
	_, _ = fmt.Fprintf(mac, "%s %s", id, at)
	var n notification
	n.ID, n.Object.Type, n.Object.ID = "sweep-"+hex.EncodeToString(mac.Sum(nil)[:16]), "sf:"+c.set.Object, id
	return envelope(c.set.OrganizationID, n)
}

// envelope writes a message with nothing but ids in it.
func envelope(organization string, list ...notification) []byte {
	var b bytes.Buffer
	_, _ = fmt.Fprintf(&b, `<soapenv:Envelope xmlns:soapenv="%s" xmlns:xsi="%s"><soapenv:Body><notifications xmlns="%s"><OrganizationId>%s</OrganizationId>`,
		soap, instance, outbound, escaped(organization))
	for _, n := range list {
		_, _ = fmt.Fprintf(&b, `<Notification><Id>%s</Id><sObject xsi:type="%s" xmlns:sf="%s"><sf:Id>%s</sf:Id></sObject></Notification>`,
			escaped(n.ID), escaped(n.Object.Type), sobject, escaped(n.Object.ID))
	}
	b.WriteString(`</notifications></soapenv:Body></soapenv:Envelope>`)
	return b.Bytes()
}
