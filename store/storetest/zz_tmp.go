package storetest

import "testing"

var jobTests, listTests, orderTests, registrationTests, personTests, auditTests, userTests, keyTests, migrationTests map[string]func(*testing.T, *bench)
