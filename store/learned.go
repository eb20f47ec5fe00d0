package store

import (
	"context"
	"database/sql"
	"sync"
)

// A learned pool prepares the statements that come again and again. SQLite
// would parse them every time.
type learned struct {
	*sql.DB

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

// maxLearned bounds the statements. Those of lists differ with their filters.
const maxLearned = 64

// stmt returns the prepared statement, or nil when it is not to be learned.
func (l *learned) stmt(ctx context.Context, query string) *sql.Stmt {
	l.mu.RLock()
	s, full := l.prepared[query], len(l.prepared) >= maxLearned
	l.mu.RUnlock()
	if s != nil || full {
		return s
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s = l.prepared[query]; s != nil {
		return s
	}
	s, err := l.PrepareContext(ctx, query)
	if err != nil {
		return nil // the query itself reports it
	}
	l.prepared[query] = s
	return s
}

// QueryContext implements querier.
func (l *learned) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := l.stmt(ctx, query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return l.DB.QueryContext(ctx, query, args...)
}

// QueryRowContext implements querier.
func (l *learned) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := l.stmt(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return l.DB.QueryRowContext(ctx, query, args...)
}
