package connectors

import (
	"context"
	"time"

	"github.com/career-relay/connector/ats"
)

// A Token is what a connection's OAuth grant stands at: the token that calls
// carry, and the one that gets the next.
type Token struct {
	// Version counts the changes; 0 is a token that was never kept.
	Version int64
	// Grant tells which configured grant it descends from, so that one that a
	// person replaced in the configuration is forgotten.
	Grant   string
	Access  ats.Secret
	Until   time.Time
	Refresh ats.Secret // "" where the configured grant goes on being used
}

// A Vault keeps the Token of one connection for every process that serves it,
// and over restarts. A vendor that takes each refresh token only once is safe
// with it: who renews claims first, and what was got is kept before it is used.
type Vault interface {
	// Token returns what is kept.
	Token(ctx context.Context) (Token, error)
	// Claim gives the renewal of the token with this version to one caller, who
	// keeps or releases it; after lease others may. Whoever comes later gets
	// ats.Duplicate, and finds the new token soon.
	Claim(ctx context.Context, version int64, lease time.Duration) error
	// Keep keeps t in place of the token with its version. The error is
	// ats.Duplicate when somebody else did so before.
	Keep(ctx context.Context, t Token) error
	// Release gives a claim back that led to nothing.
	Release(ctx context.Context, version int64) error
}
