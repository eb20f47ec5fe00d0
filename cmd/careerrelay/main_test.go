package main

import (
	"testing"

	"github.com/career-relay/connector/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }
