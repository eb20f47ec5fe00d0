package jobs

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	miniredis.DumpMaxLineLen = 1 << 20 // show everything that Redis knows
	goleak.VerifyTestMain(m)
}
