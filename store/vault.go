package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// Vault returns where the OAuth token of a connection is kept.
func (s *Store) Vault(company, connection string) connectors.Vault {
	return vault{s, company, connection}
}

type vault struct {
	*Store
	company, connection string
}

// A sealedToken is a token as it is encrypted. Only there it stands in plain.
type sealedToken struct {
	Grant   string    `json:"grant"`
	Access  string    `json:"access"`
	Until   time.Time `json:"until"`
	Refresh string    `json:"refresh,omitempty"`
}

// context binds what is encrypted to its row.
func (v vault) context() string { return "grant " + v.company + "/" + v.connection }

// Token implements connectors.Vault.
func (v vault) Token(ctx context.Context) (connectors.Token, error) {
	var t connectors.Token
	var sealed []byte
	err := v.read.QueryRowContext(ctx, `SELECT version, sealed FROM grants WHERE company = $1 AND connection = $2`, v.company, v.connection).Scan(&t.Version, &sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && sealed == nil:
		return t, nil
	case err != nil:
		return t, unavailable("reading a token", err)
	}
	aead, err := v.companyKey(ctx, v.company)
	if err != nil {
		return t, err
	}
	var plain sealedToken
	if err := unseal(aead, v.context(), sealed, &plain); err != nil {
		return t, err
	}
	t.Grant, t.Access, t.Until, t.Refresh = plain.Grant, ats.Secret(plain.Access), plain.Until, ats.Secret(plain.Refresh)
	return t, nil
}

// Claim implements connectors.Vault.
func (v vault) Claim(ctx context.Context, version int64, lease time.Duration) error {
	return v.change(ctx, "claiming a token", func(ctx context.Context, t *tx) (int64, error) {
		now := v.Now()
		if _, err := t.exec(ctx, `INSERT INTO grants (company, connection, version, updated_at) VALUES ($1, $2, 0, $3) ON CONFLICT DO NOTHING`, v.company, v.connection, micros(now)); err != nil {
			return 0, err
		}
		return t.exec(ctx, `UPDATE grants SET lease_until = $1 WHERE company = $2 AND connection = $3 AND version = $4 AND lease_until <= $5`,
			micros(now.Add(lease)), v.company, v.connection, version, micros(now))
	})
}

// Keep implements connectors.Vault.
func (v vault) Keep(ctx context.Context, token connectors.Token) error {
	aead, err := v.companyKey(ctx, v.company)
	if err != nil {
		return err
	}
	sealed, err := seal(aead, v.context(), sealedToken{token.Grant, string(token.Access), token.Until, string(token.Refresh)})
	if err != nil {
		return err
	}
	return v.change(ctx, "keeping a token", func(ctx context.Context, t *tx) (int64, error) {
		return t.exec(ctx, `UPDATE grants SET sealed = $1, version = version + 1, lease_until = 0, updated_at = $2 WHERE company = $3 AND connection = $4 AND version = $5`,
			sealed, micros(v.Now()), v.company, v.connection, token.Version)
	})
}

// Release implements connectors.Vault.
func (v vault) Release(ctx context.Context, version int64) error {
	err := v.change(ctx, "releasing a token", func(ctx context.Context, t *tx) (int64, error) {
		return t.exec(ctx, `UPDATE grants SET lease_until = 0 WHERE company = $1 AND connection = $2 AND version = $3`, v.company, v.connection, version)
	})
	if ats.FaultOf(err) == ats.Duplicate {
		return nil // somebody else kept a new one
	}
	return err
}

// change does what must find its row as it was read.
func (v vault) change(ctx context.Context, what string, do func(context.Context, *tx) (int64, error)) error {
	var n int64
	err := v.update(ctx, func(ctx context.Context, t *tx) (err error) {
		n, err = do(ctx, t)
		return err
	})
	switch {
	case err != nil:
		return unavailable(what, err)
	case n == 0:
		return ats.Errorf(ats.Duplicate, "%s/%s: somebody else renews the token", v.company, v.connection)
	}
	return nil
}
