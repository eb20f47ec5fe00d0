package kintone

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/api"
)

// A Push is how the app takes candidates whom we put in. Without it none are.
type Push struct {
	// Note is the field that says who introduced the person.
	Note string `yaml:"note"`
	// Set is what further fields of a new record hold, by their codes.
	Set map[string]string `yaml:"set"`
}

// plainJob is what may stand for a job in the app's own field: a number or a
// title.
var plainJob = regexp.MustCompile(`^[^"\\\x00-\x1f]{1,100}$`)

// Finds implements connectors.Finder.
func (*Connector) Finds() bool { return true }

// Push implements connectors.Pusher. A person who is in the app with this
// address for this job gets no second record.
func (c *Connector) Push(ctx context.Context, candidate ats.Candidate, jobID string) (string, error) {
	p, err := api.PersonOf(candidate)
	of := c.set.Fields.JobID
	if of == "" {
		of = c.set.Fields.JobTitle
	}
	switch {
	case err != nil:
		return "", err
	case c.set.Push == nil:
		return "", ats.Errorf(ats.Invalid, "push: required to put candidates into the app; see careerrelay vendor show kintone")
	case of == "":
		return "", ats.Errorf(ats.Invalid, "fields.job_id or fields.job_title: required to put candidates into the app")
	case !plainJob.MatchString(jobID):
		return "", ats.Errorf(ats.Invalid, "the job cannot be written into the app")
	}
	id, err := c.find(ctx, p.Email, of, jobID)
	if err != nil || id != "" {
		return id, err
	}
	record := map[string]map[string]string{}
	for code, text := range c.row(p, candidate) {
		if code != "" && text != "" {
			record[code] = map[string]string{"value": text}
		}
	}
	record[of] = map[string]string{"value": jobID}
	if err := c.known(ctx, record); err != nil {
		return "", err
	}
	var made struct{ ID string }
	if err := c.api.Create(ctx, "/k/v1/record.json", map[string]any{"app": c.set.App, "record": record}, &made); err != nil {
		return "", err
	}
	if !plainID.MatchString(made.ID) {
		return "", ats.Errorf(ats.Unclear, "kintone's answer does not name the record")
	}
	return made.ID, nil
}

// row is what a new record says of a person, by the codes of the app's fields.
func (c *Connector) row(p api.Person, candidate ats.Candidate) map[string]string {
	f := c.set.Fields
	row := map[string]string{}
	maps.Copy(row, c.set.Push.Set)
	row[f.Name], row[f.FamilyName], row[f.GivenName], row[f.Kana] = p.Name, p.Family, p.Given, candidate.Kana
	row[f.Email], row[f.Channel], row[c.set.Push.Note] = p.Email, api.Note, api.Note
	return row
}

// quoted writes a text into a query.
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// find looks for the record of a person for a job.
func (c *Connector) find(ctx context.Context, email, of, job string) (string, error) {
	q := fmt.Sprintf(`%s = "%s" and %s = "%s" order by $id asc limit 1`, c.set.Fields.Email, quoted.Replace(email), of, quoted.Replace(job))
	var answer struct{ Records []record }
	if err := c.api.Get(ctx, "/k/v1/records.json", url.Values{"app": {c.set.App}, "query": {q}}, &answer); err != nil {
		return "", err
	}
	switch {
	case answer.Records == nil:
		return "", ats.Errorf(ats.Invalid, "kintone's answer is not a list of records")
	case len(answer.Records) == 0:
		return "", nil
	}
	return answer.Records[0].text("$id"), nil
}

// known makes sure that the app has every field that is to be written: kintone
// leaves those away that it does not know, and says nothing.
func (c *Connector) known(ctx context.Context, record map[string]map[string]string) error {
	var form struct {
		Properties map[string]any
	}
	if err := c.api.Get(ctx, "/k/v1/app/form/fields.json", url.Values{"app": {c.set.App}}, &form); err != nil {
		return err
	}
	var missing []string
	for code := range record {
		if form.Properties[code] == nil {
			missing = append(missing, code)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return ats.Errorf(ats.Invalid, "the app has no field %s", strings.Join(missing, ", "))
	}
	return nil
}
