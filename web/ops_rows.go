package web

import (
	"context"

	"github.com/career-relay/connector/record"
)

// A rows is one page of a list and where the next one begins: pages are found
// by the id of the last row, so that new rows do not shift them.
type rows[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"` // "" on the last page
}

// fetch reads one page and one row more, which tells whether there is a next
// page. A page of the full size is the exception: its next one may be empty.
func fetch[T any](ctx context.Context, f record.Filter, read func(context.Context, record.Filter) ([]T, error), id func(T) string) (rows[T], error) {
	size := f.Rows()
	f.Limit = min(size+1, record.MaxPage)
	items, err := read(ctx, f)
	if err != nil {
		return rows[T]{}, err
	}
	r := rows[T]{Items: items}
	if len(items) > size || size == record.MaxPage && len(items) == size {
		r.Items = items[:size]
		r.Next = id(r.Items[size-1])
	}
	return r, nil
}
