package store_test

import (
	"testing"

	"github.com/career-relay/connector/store"
	"github.com/career-relay/connector/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(tb testing.TB) store.Options {
		tb.Helper()
		return store.Options{Dir: tb.TempDir()}
	})
}

func TestPostgres(t *testing.T) {
	storetest.Run(t, func(tb testing.TB) store.Options {
		tb.Helper()
		return store.Options{URL: storetest.Postgres(tb)}
	})
}
