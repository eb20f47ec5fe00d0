package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"
	"golang.org/x/oauth2"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
	"github.com/career-relay/connector/rules/access"
)

const (
	// providerCookie holds what must come back from the provider. It is bound
	// to the browser that set out.
	providerCookie = "careerrelay_oidc"
	// providerPatience is how long the provider may take to answer.
	providerPatience = 10 * time.Second
	// callbackPath is where the provider leads back to.
	callbackPath = "/login/oidc/callback"
)

// A provider is the identity provider as far as it was asked about itself. Its
// keys are read again when it signs with a new one.
type provider struct {
	mu     sync.Mutex
	issuer string
	found  *oidc.Provider
}

// discover asks the provider about itself, unless that was done before.
func (p *provider) discover(ctx context.Context, issuer string) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil && p.issuer == issuer {
		return p.found, nil
	}
	// The provider keeps the context for reading keys later: not that of a
	// request, which ends.
	found, err := oidc.NewProvider(context.WithoutCancel(ctx), issuer)
	if err != nil {
		return nil, err
	}
	p.issuer, p.found = issuer, found
	return found, nil
}

// A journey is somebody who went to the provider.
type journey struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // of PKCE
	To       string `json:"to"`
}

// oauth returns the settings of the exchange with the provider.
func (k *console) oauth(ctx context.Context, s access.Settings) (context.Context, *oidc.Provider, *oauth2.Config, error) {
	ctx = oidc.ClientContext(ctx, &http.Client{Timeout: providerPatience})
	p, err := k.oidc.discover(ctx, s.OIDC.Issuer)
	if err != nil {
		return ctx, nil, nil, err
	}
	return ctx, p, &oauth2.Config{
		ClientID: s.OIDC.ClientID, ClientSecret: string(s.OIDC.ClientSecret), Endpoint: p.Endpoint(), RedirectURL: s.Console + callbackPath,
		Scopes: append([]string{oidc.ScopeOpenID, "email"}, s.OIDC.Scopes...),
	}, nil
}

// leaveForProvider sends the visitor to the provider.
func (k *console) leaveForProvider(c *gin.Context) {
	s := k.sheet(c, visitor{})
	if err := k.checkForm(c, visitor{}); err != nil {
		k.sorry(c, s, err)
		return
	}
	settings := k.access()
	if settings.OIDC == nil {
		k.sorry(c, s, ats.Errorf(ats.NotFound, "no page %s", c.Request.URL.Path))
		return
	}
	_, _, config, err := k.oauth(c.Request.Context(), settings)
	if err != nil {
		k.turnedAway(c, "unreachable", err)
		return
	}
	j := journey{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: localPath(c.Request.PostForm.Get("to"))}
	text, err := json.Marshal(j)
	if err != nil {
		k.sorry(c, s, err)
		return
	}
	setCookie(c, providerCookie, base64.RawURLEncoding.EncodeToString(text), stepLife)
	c.Redirect(http.StatusSeeOther, config.AuthCodeURL(j.State, oidc.Nonce(j.Nonce), oauth2.S256ChallengeOption(j.Verifier)))
}

// turnedAway shows the login with the reason why the way through the provider
// ended. What the provider says in detail goes to the log.
func (k *console) turnedAway(c *gin.Context, why string, err error) {
	k.Metrics.login("refused")
	detail := "none"
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		detail = "the provider answers " + strconv.Itoa(e.Response.StatusCode) + " " + e.ErrorCode // its body may say more than a log should hold
	} else if err != nil {
		detail = err.Error()
	}
	k.Log.WarnContext(c.Request.Context(), "login through the provider refused", "why", why, "detail", detail)
	code := http.StatusForbidden
	if why == "unreachable" {
		code = http.StatusServiceUnavailable
	}
	s := k.sheet(c, visitor{})
	k.askLogin(c, code, loginPage{To: "/", Err: s.t("oidc." + why)})
}

// returnFromProvider takes up the visitor who comes back from the provider. It
// is a GET, because the protocol leads back by an address; nobody can make use
// of it without the cookie of this browser and a code of this moment.
func (k *console) returnFromProvider(c *gin.Context) {
	settings := k.access()
	var j journey
	text, err := base64.RawURLEncoding.DecodeString(cookie(c.Request, providerCookie))
	if settings.OIDC == nil || err != nil || json.Unmarshal(text, &j) != nil || j.State == "" || !equal(j.State, c.Query("state")) {
		k.turnedAway(c, "state", nil)
		return
	}
	setCookie(c, providerCookie, "", 0)
	if c.Query("error") != "" {
		k.turnedAway(c, "denied", nil)
		return
	}
	who, why, err := k.identify(c.Request.Context(), settings, j, c.Query("code"))
	if why != "" {
		k.turnedAway(c, why, err)
		return
	}
	e, err := k.Accounts.Admit(c.Request.Context(), who, k.visit(c.Request))
	switch ats.FaultOf(err) {
	case ats.Denied:
		k.turnedAway(c, "disabled", nil)
		return
	case ats.Conflict:
		k.turnedAway(c, "conflict", nil)
		return
	default:
	}
	if err != nil {
		k.sorry(c, k.sheet(c, visitor{}), err)
		return
	}
	k.goOn(c, e, localPath(j.To))
}

// identify exchanges the code for an identity, or says why not.
func (k *console) identify(ctx context.Context, s access.Settings, j journey, code string) (who record.Identity, why string, err error) {
	ctx, p, config, err := k.oauth(ctx, s)
	if err != nil {
		return who, "unreachable", err
	}
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(j.Verifier))
	if err != nil {
		return who, "exchange", err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.Verifier(&oidc.Config{ClientID: s.OIDC.ClientID, Now: k.Now}).Verify(ctx, raw)
	if err != nil {
		return who, "token", err
	}
	if !equal(id.Nonce, j.Nonce) {
		return who, "token", errors.New("the nonce is another one")
	}
	claims, err := readClaims(id, s.OIDC.Groups())
	if err != nil {
		return who, "token", err
	}
	grant, refusal := s.OIDC.Decide(claims)
	if refusal != "" {
		return who, string(refusal), nil
	}
	if grant.Company != "" {
		if _, err := k.Deps.Tenants.Company(grant.Company); err != nil {
			return who, string(access.NoGrant), err
		}
	}
	return record.Identity{Issuer: id.Issuer, Subject: id.Subject, Name: claims.Email, Grant: grant}, "", nil
}

// readClaims reads what providers write in more than one way: whether the
// address is verified as a truth or a word, groups as a list or one word.
func readClaims(id *oidc.IDToken, groups string) (access.Claims, error) {
	var all map[string]any
	if err := id.Claims(&all); err != nil {
		return access.Claims{}, err
	}
	c := access.Claims{Verified: all["email_verified"] == true || all["email_verified"] == "true"}
	c.Email, _ = all["email"].(string)
	switch g := all[groups].(type) {
	case string:
		c.Groups = []string{g}
	case []any:
		for _, one := range g {
			if name, ok := one.(string); ok {
				c.Groups = append(c.Groups, name)
			}
		}
	}
	return c, nil
}
