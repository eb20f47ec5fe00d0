package api

import (
	"context"
	"net/http"

	"github.com/career-relay/connector/ats"
)

// Auth puts credentials on a call.
type Auth func(ctx context.Context, r *http.Request) error

// Basic is HTTP basic authentication; many vendors take an API key as the user
// and no password.
func Basic(user, password ats.Secret) Auth {
	return func(_ context.Context, r *http.Request) error {
		r.SetBasicAuth(string(user), string(password))
		return nil
	}
}

// Header is a key in a header of the vendor's own; prefix may be "Token ".
func Header(name, prefix string, key ats.Secret) Auth {
	return func(_ context.Context, r *http.Request) error {
		r.Header.Set(name, prefix+string(key))
		return nil
	}
}

// Bearer is a key that never changes.
func Bearer(key ats.Secret) Auth { return Header("Authorization", "Bearer ", key) }

// Token is a bearer token that source gets and renews, as OAuth has it. Source
// is asked before every call and keeps the token as long as it is valid.
func Token(source func(ctx context.Context) (ats.Secret, error)) Auth {
	return func(ctx context.Context, r *http.Request) error {
		key, err := source(ctx)
		if err != nil {
			return err
		}
		return Bearer(key)(ctx, r)
	}
}
