package ats

import (
	"errors"
	"fmt"
	"time"
)

// A Fault says what a program should do about an error. HTTP statuses, exit
// codes, retries and the outbox each translate it once. An error without a
// Fault is our own bug or an outage of something of ours.
type Fault string

// The faults.
const (
	Invalid   Fault = "invalid"   // wrong input: repeating it cannot help
	Denied    Fault = "denied"    // not authenticated or not allowed
	NotFound  Fault = "not_found" // no such thing
	Duplicate Fault = "duplicate" // already done: a success to who asks again
	Conflict  Fault = "conflict"  // the thing is not in a state that allows this
	TooLarge  Fault = "too_large" // over a limit
	Busy      Fault = "busy"      // surely not done; try again later
	Unclear   Fault = "unclear"   // perhaps done; never repeat blindly
)

// An Error is an error with a Fault.
type Error struct {
	Fault Fault
	// After is how long a Busy vendor asked us to wait; 0 when it did not say.
	After time.Duration
	err   error
}

// Error returns the message.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// Errorf makes an error with a fault. The format follows fmt.Errorf, with %w.
func Errorf(f Fault, format string, args ...any) error {
	return &Error{Fault: f, err: fmt.Errorf(format, args...)}
}

// BusyFor makes a Busy error that carries the time to wait.
func BusyFor(after time.Duration, format string, args ...any) error {
	return &Error{Fault: Busy, After: after, err: fmt.Errorf(format, args...)}
}

// FaultOf returns the outermost fault in err, or "" for none.
func FaultOf(err error) Fault {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Fault
	}
	return ""
}

// WaitOf returns the time that a Busy error asks to wait, or 0.
func WaitOf(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.After
	}
	return 0
}
