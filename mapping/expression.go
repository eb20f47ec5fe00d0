package mapping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"github.com/career-relay/connector/ats"
)

// Deadline bounds the evaluation of one payload. One that has taken only few
// steps by then gets ten times as long: it is not endless, the machine is busy.
const (
	Deadline = 200 * time.Millisecond
	fewSteps = 10_000
)

// A budget is a context that ends an evaluation. Its user, gojq, asks it before
// every step.
type budget struct {
	context.Context // ends last
	first           context.Context
	steps           int
}

func newBudget() (*budget, context.CancelFunc) {
	last, cancel := context.WithTimeout(context.Background(), 10*Deadline)
	first, cancelFirst := context.WithTimeout(last, Deadline)
	return &budget{Context: last, first: first}, func() { cancelFirst(); cancel() }
}

// Done implements context.Context.
func (b *budget) Done() <-chan struct{} {
	if b.steps++; b.steps < fewSteps {
		return b.Context.Done()
	}
	return b.first.Done()
}

// Err implements context.Context.
func (b *budget) Err() error { return b.first.Err() }

// refused are the functions of jq that reach outside the payload.
var refused = []string{
	"now", "env", "$ENV", "input", "inputs", "debug", "stderr", "input_filename", "input_line_number", "localtime", "strflocaltime",
	"halt", "halt_error", "modulemeta",
}

func compile(text string) (*gojq.Code, error) {
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not jq: %w", text, err)
	}
	called, err := calls(query)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	for _, name := range called {
		if slices.Contains(refused, name) {
			return nil, fmt.Errorf("%q: %s is not allowed here; only the payload can be read", text, name)
		}
	}
	code, err := gojq.Compile(query, functions()...)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return code, nil
}

// calls lists what q calls, but no names of data. A parsed query is plain data,
// so a walk over its JSON sees every branch, also those of a later gojq.
func calls(q *gojq.Query) ([]string, error) {
	text, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	var names []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			if f, ok := v["Func"].(map[string]any); ok {
				names = append(names, fmt.Sprint(f["Name"]))
			}
			if key, ok := v["Key"].(string); ok && strings.HasPrefix(key, "$") { // {$name} is short for {name: $name}
				names = append(names, key)
			}
			for _, one := range v {
				walk(one)
			}
		}
	}
	walk(tree)
	return names, nil
}

// evaluate returns the first output of an expression. Errors name the kind of
// trouble only: gojq's own texts quote the payload.
func evaluate(ctx context.Context, code *gojq.Code, doc any) (any, error) {
	v, ok := code.RunWithContext(ctx, doc).Next()
	if !ok {
		return nil, nil
	}
	if err, isErr := v.(error); isErr {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("takes longer than %s", Deadline)
		}
		return nil, nil // a value of an unexpected kind is a missing value
	}
	return v, nil
}

// An Expression is one jq expression outside the field table.
type Expression struct{ code *gojq.Code }

// Parse prepares an expression; an empty one is nil.
func Parse(s string) (*Expression, error) {
	if s == "" {
		return nil, nil
	}
	code, err := compile(s)
	if err != nil {
		return nil, ats.Errorf(ats.Invalid, "%w", err)
	}
	return &Expression{code}, nil
}

func (x *Expression) value(doc any) any {
	ctx, cancel := newBudget()
	defer cancel()
	v, err := evaluate(ctx, x.code, doc)
	if err != nil {
		return nil
	}
	return v
}

// True reports whether the expression is true of doc.
func (x *Expression) True(doc any) bool { return x.value(doc) == true }

// Text returns the expression's text or number.
func (x *Expression) Text(doc any) (string, bool) {
	v := x.value(doc)
	if v == nil {
		return "", false
	}
	s, err := scalar(v)
	return s, err == nil && s != ""
}

// Values returns every output of the expression. One that does not fit doc, or
// has more than limit outputs, is an ats.Invalid error: a part of a payload
// must not be lost silently.
func (x *Expression) Values(doc any, limit int) ([]any, error) {
	ctx, cancel := newBudget()
	defer cancel()
	var out []any
	for iter := x.code.RunWithContext(ctx, doc); ; {
		v, ok := iter.Next()
		switch err, failed := v.(error); {
		case !ok:
			return out, nil
		case failed && errors.Is(err, context.DeadlineExceeded):
			return nil, ats.Errorf(ats.Invalid, "takes longer than %s", Deadline)
		case failed:
			return nil, ats.Errorf(ats.Invalid, "does not fit this payload")
		case len(out) == limit:
			return nil, ats.Errorf(ats.Invalid, "has more than %d outputs", limit)
		}
		out = append(out, v)
	}
}
