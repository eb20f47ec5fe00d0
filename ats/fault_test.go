package ats_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/career-relay/connector/ats"
)

func TestFaults(t *testing.T) {
	tests := map[string]struct {
		err   error
		fault ats.Fault
		after time.Duration
		text  string
	}{
		"no error":                         {nil, "", 0, ""},
		"an error of ours":                 {io.EOF, "", 0, "EOF"},
		"a fault":                          {ats.Errorf(ats.NotFound, "mail %s", "7"), ats.NotFound, 0, "mail 7"},
		"a wrapped fault":                  {fmt.Errorf("reading: %w", ats.Errorf(ats.Denied, "no")), ats.Denied, 0, "reading: no"},
		"the outermost of two faults":      {ats.Errorf(ats.Invalid, "parking: %w", ats.Errorf(ats.Busy, "later")), ats.Invalid, 0, "parking: later"},
		"a time to wait":                   {ats.BusyFor(time.Minute, "limit of %s", "acme"), ats.Busy, time.Minute, "limit of acme"},
		"a wrapped time to wait":           {fmt.Errorf("polling: %w", ats.BusyFor(time.Minute, "limit")), ats.Busy, time.Minute, "polling: limit"},
		"busy without a time":              {ats.Errorf(ats.Busy, "down"), ats.Busy, 0, "down"},
		"a fault among joined errors":      {errors.Join(io.EOF, ats.Errorf(ats.Conflict, "held")), ats.Conflict, 0, "EOF\nheld"},
		"a cause that can still be found":  {ats.Errorf(ats.Invalid, "body: %w", io.ErrUnexpectedEOF), ats.Invalid, 0, "body: unexpected EOF"},
		"a wait hidden by an outer fault":  {ats.Errorf(ats.Unclear, "sending: %w", ats.BusyFor(time.Hour, "x")), ats.Unclear, 0, "sending: x"},
		"a wait that is not asked for yet": {ats.BusyFor(0, "x"), ats.Busy, 0, "x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := ats.FaultOf(tt.err); got != tt.fault {
				t.Errorf("fault: got %q, want %q", got, tt.fault)
			}
			if got := ats.WaitOf(tt.err); got != tt.after {
				t.Errorf("wait: got %s, want %s", got, tt.after)
			}
			if tt.err != nil && tt.err.Error() != tt.text {
				t.Errorf("text: got %q, want %q", tt.err, tt.text)
			}
		})
	}
	if err := ats.Errorf(ats.Invalid, "body: %w", io.ErrUnexpectedEOF); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
}
