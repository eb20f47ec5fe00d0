package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
)

// apiBase is where the API begins.
const apiBase = "/api/v1"

// An apiRoute is one row of the table that both registers the routes and
// writes their description, so that the two cannot differ.
type apiRoute struct {
	method  string
	path    string // below apiBase, with {id} for what varies
	id      string // operationId
	summary string
	role    record.Role
	scope   access.Scope // that a token needs; "" for what goes with method and role
	query   []string     // words of the query
	body    string       // schema of the body; "" for none
	answer  string       // schema of the answer
	list    bool         // the answer is a page of it
	do      func(c *gin.Context, who record.Actor) (any, error)
}

// apiRoutes is the table.
func (k *desk) apiRoutes() []apiRoute {
	routes := []apiRoute{
		listRoute(k, deliveryNoun, "Delivery", k.Desk.Deliveries, func(d record.Delivery) string { return d.ID }),
		listRoute(k, applicationNoun, "Application", k.Desk.Applications, func(a record.Application) string { return a.ID }),
		listRoute(k, mailNoun, "Mail", k.Desk.Mails, func(m record.Mail) string { return m.ID }),
		listRoute(k, jobNoun, "Job", k.Desk.Jobs, func(j record.Job) string { return j.ID }),
		listRoute(k, batchNoun, "Batch", k.Desk.Batches, func(b record.Batch) string { return b.ID }),
		listRoute(k, referralNoun, "Referral", k.Desk.Referrals, func(r record.Referral) string { return r.ID }),
		listRoute(k, consentNoun, "Consent", k.Desk.Consents, func(c record.Consent) string { return c.ID }),
		listRoute(k, alertNoun, "Alert", k.alerts, func(a alertRow) string { return a.ID }),
		listRoute(k, auditNoun, "Audit", k.Desk.Audits, func(a record.Audit) string { return strconv.FormatInt(a.Seq, 10) }),
		showRoute(deliveryNoun, "DeliveryDetail", k.delivery),
		showRoute(applicationNoun, "ApplicationDetail", k.application),
		showRoute(mailNoun, "MailDetail", k.mail),
		showRoute(jobNoun, "JobDetail", k.job),
		showRoute(batchNoun, "BatchDetail", k.batch),
		showRoute(referralNoun, "ReferralDetail", k.referral),
		showRoute(consentNoun, "Consent", k.consent),
		showRoute(alertNoun, "Alert", k.alert),
		{
			method: http.MethodGet, path: "/companies/status", id: "listCompanyStatus", role: record.Viewer, answer: "CompanyStatus", list: true,
			summary: "The companies' files: which content is in force, and what is wrong with a newer one", do: k.listStatus,
		},
		{
			method: http.MethodGet, path: "/brakes", id: "listBrakes", role: record.Viewer, query: []string{"company", "all"}, answer: "Brake", list: true,
			summary: "Stops that need a person or a repair; with all=true also those of thirty days that were resolved", do: k.listBrakes,
		},
		{
			method: http.MethodPost, path: "/brakes/release", id: "releaseBrake", role: record.Operator, body: "BrakeRelease", answer: "Done",
			summary: "Let a company's mails go again after bounces or complaints; those that waited go at once", do: k.postRelease,
		},
		{
			method: http.MethodGet, path: "/credits", id: "listCredits", role: record.Viewer, answer: "Account", list: true,
			summary: "The ledgers of all companies in sum, without their entries", do: k.listCredits,
		},
		{
			method: http.MethodGet, path: "/credits/{company}", id: "showCredits", role: record.Viewer, answer: "Account",
			summary: "A company's ledger with its entries and slots",
			do: func(c *gin.Context, _ record.Actor) (any, error) {
				return k.account(c.Request.Context(), c.Param("company"))
			},
		},
		{
			method: http.MethodPost, path: "/persons/find", id: "findPersons", role: record.Viewer, scope: access.Read, body: "Find", answer: "PersonId", list: true,
			summary: "A company's people by address or full name, which are compared through keyed hashes", do: k.findPersons,
		},
	}
	routes = append(routes, k.fileRoutes()...)
	for _, v := range verbs {
		routes = append(routes, k.verbRoute(v))
	}
	routes = append(routes, k.accessRoutes()...)
	routes = append(routes, k.batchRoutes()...)
	return append(routes,
		because("/consents/{id}/withdraw", "withdrawConsent", "Done", "Take a consent back; hand-overs that wait are cancelled", k.withdraw),
		because("/persons/{id}/erase", "erasePerson", "Done", "Destroy everything personal about a person. It cannot be undone", k.erase),
		because("/alerts/{id}/mute", "muteAlert", "Alert", "Do not remind of an alert for a week; its end is told all the same", func(ctx context.Context, who record.Actor, id, reason string) (alertRow, error) {
			return k.mute(ctx, who, id, reason, true)
		}),
		because("/alerts/{id}/unmute", "unmuteAlert", "Alert", "Remind of an alert again", func(ctx context.Context, who record.Actor, id, reason string) (alertRow, error) {
			return k.mute(ctx, who, id, reason, false)
		}),
		because("/applications/{id}/reveal", "revealApplication", "Candidate", "Show who applied; noted in the audit log", k.revealCandidate).with(access.Reveal),
		because("/mails/{id}/reveal", "revealMail", "Message", "Show a mail's exact content; noted in the audit log", k.revealMail).with(access.Reveal),
		because("/deliveries/{id}/reveal", "revealDelivery", "Payload", "Show a delivery's payload as it came; noted in the audit log", k.revealDelivery).with(access.Reveal),
	)
}

// listRoute lists the rows of a noun.
func listRoute[T any](k *desk, n noun, schema string, read func(context.Context, record.Filter) ([]T, error), id func(T) string) apiRoute {
	return apiRoute{
		method: http.MethodGet, path: "/" + n.Path, id: "list" + schema + "s", role: record.Viewer, answer: schema, list: true,
		summary: "List " + n.Path + ", newest first", query: append(slices.Clip(n.words), paging...),
		do: func(c *gin.Context, _ record.Actor) (any, error) {
			f, err := n.filter(c.Request.URL.Query(), k.Now(), paging...)
			if err != nil {
				return nil, err
			}
			return fetch(c.Request.Context(), f, read, id)
		},
	}
}

// showRoute shows one row with its history.
func showRoute[T any](n noun, schema string, read func(context.Context, string) (T, error)) apiRoute {
	return apiRoute{
		method: http.MethodGet, path: "/" + n.Path + "/{id}", id: "show" + strings.TrimSuffix(schema, "Detail"), role: record.Viewer, answer: schema,
		summary: "Show one " + n.One + " with its history",
		do:      func(c *gin.Context, _ record.Actor) (any, error) { return read(c.Request.Context(), c.Param("id")) },
	}
}

// because does something to one thing, for a reason.
func because[T any](path, id, answer, summary string, do func(ctx context.Context, who record.Actor, id, reason string) (T, error)) apiRoute {
	word := pathWord.FindStringSubmatch(path)[1]
	return apiRoute{
		method: http.MethodPost, path: path, id: id, role: record.Operator, body: "Reason", answer: answer, summary: summary,
		do: func(c *gin.Context, who record.Actor) (any, error) {
			var body struct {
				Reason string `json:"reason"`
			}
			if err := readJSON(c, &body); err != nil {
				return nil, err
			}
			return do(c.Request.Context(), who, c.Param(word), body.Reason)
		},
	}
}

// with is the route for tokens of another scope.
func (r apiRoute) with(s access.Scope) apiRoute {
	r.scope = s
	return r
}

// verbRoute does a verb to one thing or to everything that a filter selects.
func (k *desk) verbRoute(v verb) apiRoute {
	body := "Order"
	switch {
	case v.name == "resolve":
		body = "Resolution"
	case v.rerun:
		body = "Rerun"
	}
	return apiRoute{
		method: http.MethodPost, path: "/" + v.noun.Path + "/" + v.name, role: record.Operator, body: body, answer: "Done",
		id: v.name + strings.ToUpper(v.noun.Path[:1]) + v.noun.Path[1:], summary: v.summary,
		do: func(c *gin.Context, who record.Actor) (any, error) {
			o, err := k.readOrder(c, v, who)
			if err != nil {
				return nil, err
			}
			return k.run(c.Request.Context(), v, o)
		},
	}
}

// readOrder reads the body of a verb. A filter only counts unless told
// otherwise; an id is meant.
func (k *desk) readOrder(c *gin.Context, v verb, who record.Actor) (order, error) {
	n := v.noun
	var body struct {
		ID     string            `json:"id"`
		Filter map[string]string `json:"filter"`
		Reason string            `json:"reason"`
		DryRun *bool             `json:"dry_run"`
		Sent   *bool             `json:"sent"`
		Rate   int               `json:"rate"`
		Halt   int               `json:"halt"`
	}
	if err := readJSON(c, &body); err != nil {
		return order{}, err
	}
	o := order{Order: record.Order{Actor: who, Reason: body.Reason}, Sent: body.Sent, Rate: body.Rate, Halt: body.Halt}
	switch {
	case !v.rerun && (body.Rate != 0 || body.Halt != 0):
		return o, ats.Errorf(ats.Invalid, "rate, halt: %s is done at once", v.name)
	case body.ID != "" && body.Filter != nil, body.ID == "" && body.Filter == nil:
		return o, ats.Errorf(ats.Invalid, "write id or filter, one of the two")
	case body.ID != "":
		o.Filter.ID = body.ID
	default:
		o.DryRun = true
		email, q := "", url.Values{}
		if n.email {
			email = strings.TrimSpace(body.Filter["email"])
			delete(body.Filter, "email")
		}
		for word, value := range body.Filter {
			q.Set(word, value)
		}
		f, err := n.filter(q, k.Now())
		if err != nil {
			return o, err
		}
		o.Filter = f
		o.Filter.Email = email
	}
	if body.DryRun != nil {
		o.DryRun = *body.DryRun
	}
	return o, nil
}

// readJSON reads a body strictly. Its errors name fields, never values.
func readJSON(c *gin.Context, into any) error {
	dec := json.NewDecoder(c.Request.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil && dec.Decode(&struct{}{}) != io.EOF {
		return ats.Errorf(ats.Invalid, "the body goes on after its JSON object")
	}
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return ats.Errorf(ats.TooLarge, "the body has more than %d bytes", opsBody)
	}
	if errors.Is(err, io.EOF) {
		return ats.Errorf(ats.Invalid, "the body is empty; send a JSON object")
	}
	if err != nil {
		return ats.Errorf(ats.Invalid, "the body: %w", err)
	}
	return nil
}

func (k *desk) listStatus(c *gin.Context, _ record.Actor) (any, error) {
	page := rows[configs.Status]{Items: []configs.Status{}}
	for _, s := range k.Tenants(c.Request.Context()).Status() {
		if s.Errors == nil {
			s.Errors = []string{}
		}
		page.Items = append(page.Items, s)
	}
	return page, nil
}

func (k *desk) listBrakes(c *gin.Context, _ record.Actor) (any, error) {
	brakes, err := k.Desk.Brakes(c.Request.Context(), c.Query("company"), c.Query("all") == "true")
	if brakes == nil {
		brakes = []record.Brake{}
	}
	return rows[record.Brake]{Items: brakes}, err
}

func (k *desk) listCredits(c *gin.Context, _ record.Actor) (any, error) {
	accounts, err := k.accounts(c.Request.Context())
	return rows[record.Account]{Items: accounts}, err
}

func (k *desk) findPersons(c *gin.Context, _ record.Actor) (any, error) {
	var body struct {
		Company string `json:"company"`
		Query   string `json:"query"`
	}
	if err := readJSON(c, &body); err != nil {
		return nil, err
	}
	if body.Company == "" || strings.TrimSpace(body.Query) == "" {
		return nil, ats.Errorf(ats.Invalid, "write company and query: an address or a full name")
	}
	ids, err := k.Desk.FindPeople(c.Request.Context(), body.Company, strings.TrimSpace(body.Query))
	if ids == nil {
		ids = []string{}
	}
	return rows[string]{Items: ids}, err
}

// routeAPI registers the table.
func (k *desk) routeAPI(e *gin.Engine) {
	routes := k.apiRoutes()
	document := openAPI(routes, k.Version)
	e.GET(apiBase+"/openapi.json", func(c *gin.Context) { c.JSON(http.StatusOK, document) })
	for _, r := range routes {
		e.Handle(r.method, apiBase+ginPath(r.path), k.serve(r))
	}
}

// ginPath writes {id} as :id.
func ginPath(path string) string { return strings.NewReplacer("{", ":", "}", "").Replace(path) }

// serve answers a route: who asks, may they, what comes of it.
func (k *desk) serve(r apiRoute) gin.HandlerFunc {
	return func(c *gin.Context) {
		who, err := k.bearer(c.Request)
		if err != nil {
			k.fail(c, err)
			return
		}
		if !may(who.Role, r.method, c.FullPath(), r.role) {
			k.forbid(c, fmt.Sprintf("%s needs the role %s; %s is %s. Ask an admin for a token of that role", r.id, r.role, who.Name, who.Role))
			return
		}
		if !who.Scopes.Has(r.need()) {
			k.forbid(c, fmt.Sprintf("%s needs a token for %s; this one is for %s. Make another one", r.id, r.need(), who.Scopes))
			return
		}
		c.Request = c.Request.WithContext(as(c.Request.Context(), who))
		answer, err := r.do(c, who)
		if err != nil {
			k.fail(c, err)
			return
		}
		c.JSON(http.StatusOK, answer)
	}
}
