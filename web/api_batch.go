package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/record"
)

// batchRoutes are the routes about batches, dead letters, held mails and secrets.
func (k *desk) batchRoutes() []apiRoute {
	routes := []apiRoute{
		{
			method: http.MethodGet, path: "/batches/{id}/results", id: "listResults", role: record.Viewer, query: paging, answer: "Result", list: true,
			summary: "What became of each item of a batch, by id", do: k.listResults,
		},
		{
			method: http.MethodGet, path: "/dead-letters", id: "listDeadLetters", role: record.Viewer, query: graveWords, answer: "Grave", list: true,
			summary: "Dead jobs in groups of the same class of error, vendor and kind, the largest first", do: k.listGraves,
		},
		{
			method: http.MethodGet, path: "/deliveries/{id}/difference", id: "compareDelivery", role: record.Viewer, answer: "Difference",
			summary: "What a delivery said when it was read, beside what it says by today's rules; nothing is changed",
			do: func(c *gin.Context, _ record.Actor) (any, error) {
				return k.Clerk.Difference(c.Request.Context(), c.Param("id"))
			},
		},
		{
			method: http.MethodGet, path: "/secrets", id: "listSecretUses", role: record.Viewer, query: []string{"company"}, answer: "SecretUse", list: true,
			summary: "When each secret of the connections fitted last, by its name; never its value",
			do: func(c *gin.Context, _ record.Actor) (any, error) {
				uses, err := k.Desk.SecretUses(c.Request.Context(), c.Query("company"))
				return rows[record.SecretUse]{Items: uses}, err
			},
		},
		{
			method: http.MethodPost, path: "/mails/{id}/edit", id: "editMail", role: record.Operator, body: "Edit", answer: "Done",
			summary: "Write a thank-you mail that waits anew, with another personal line", do: k.editMail,
		},
		because("/mails/{id}/ask", "askAboutMail", "Done", "Ask the provider about a mail whose outcome is unclear; when it has it, the mail was sent", k.ask),
		because("/companies/{id}/ask-release", "askRelease", "Done", "Vouch for the mails that the volume brake stopped; a second person then releases them", k.askRelease),
	}
	for verb, summary := range map[string]string{"pause": "Hand over no more items until it is resumed", "resume": "Go on", "cancel": "End it; what was handed over runs to its end"} {
		routes = append(routes, because("/batches/{id}/"+verb, verb+"Batch", "Batch", summary, func(ctx context.Context, who record.Actor, id, reason string) (record.Batch, error) {
			return k.moveBatch(ctx, who, id, verb, reason)
		}))
	}
	return routes
}

// graveWords narrow the groups of the dead.
var graveWords = []string{"company", "fault", "vendor", "kind"}

func (k *desk) listResults(c *gin.Context, _ record.Actor) (any, error) {
	f, err := record.ParseFilter(url.Values{"after": {c.Query("after")}, "limit": {c.Query("limit")}}, k.Now())
	if err != nil {
		return nil, err
	}
	f.Batch = c.Param("id")
	return fetch(c.Request.Context(), f, k.Desk.Results, func(r record.Result) string { return r.ID })
}

func (k *desk) listGraves(c *gin.Context, _ record.Actor) (any, error) {
	f, err := noun{Path: "dead letters", words: graveWords}.filter(c.Request.URL.Query(), k.Now())
	if err != nil {
		return nil, err
	}
	graves, err := k.Desk.Graves(c.Request.Context(), f)
	return rows[record.Grave]{Items: graves}, err
}

func (k *desk) editMail(c *gin.Context, who record.Actor) (any, error) {
	var body struct {
		Line   string `json:"personal_line"`
		Reason string `json:"reason"`
	}
	if err := readJSON(c, &body); err != nil {
		return nil, err
	}
	return k.edit(c.Request.Context(), who, c.Param("id"), body.Line, body.Reason)
}

func (k *desk) edit(ctx context.Context, who record.Actor, id, line, reason string) (record.Done, error) {
	return k.one("edit", id, reason, func(reason string) error { return k.Clerk.Edit(ctx, who, id, line, reason) })
}

func (k *desk) ask(ctx context.Context, who record.Actor, id, reason string) (record.Done, error) {
	return k.one("ask", id, reason, func(reason string) error { return k.Clerk.Ask(ctx, who, id, reason) })
}

func (k *desk) askRelease(ctx context.Context, who record.Actor, company, reason string) (record.Done, error) {
	return k.one("ask release", company, reason, func(reason string) error { return k.Desk.AskRelease(ctx, who, company, reason) })
}

func (k *desk) moveBatch(ctx context.Context, who record.Actor, id, verb, reason string) (record.Batch, error) {
	reason, err := record.NeedReason(reason)
	if err != nil {
		return record.Batch{}, err
	}
	return k.Desk.MoveBatch(ctx, who, id, verb, reason)
}
