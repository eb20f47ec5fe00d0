package apitest

import (
	"context"
	"sync"
	"time"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// A Vault keeps a token in memory, as the store does in SQL.
type Vault struct {
	mu      sync.Mutex
	token   connectors.Token
	claimed bool
	err     error
	kept    int
}

// Break lets keeping fail with err, until it is nil again.
func (v *Vault) Break(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
}

// Kept counts the tokens that were kept.
func (v *Vault) Kept() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.kept
}

// Token implements connectors.Vault.
func (v *Vault) Token(context.Context) (connectors.Token, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.token, nil
}

// Claim implements connectors.Vault. A claim does not end by itself.
func (v *Vault) Claim(_ context.Context, version int64, _ time.Duration) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.claimed || version != v.token.Version {
		return ats.Errorf(ats.Duplicate, "somebody else renews the token")
	}
	v.claimed = true
	return nil
}

// Keep implements connectors.Vault.
func (v *Vault) Keep(_ context.Context, t connectors.Token) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.err != nil:
		return v.err
	case t.Version != v.token.Version:
		return ats.Errorf(ats.Duplicate, "somebody else renewed the token")
	}
	t.Version++
	v.token, v.claimed = t, false
	v.kept++
	return nil
}

// Release implements connectors.Vault.
func (v *Vault) Release(_ context.Context, version int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if version == v.token.Version {
		v.claimed = false
	}
	return nil
}
