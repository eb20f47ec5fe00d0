package api

import (
	"errors"
	"iter"
	"strconv"

	"github.com/career-relay/connector/ats"
)

// jobPages bounds the pages of a list of open jobs.
const jobPages = 200

// errEnough ends a list that nobody reads any further.
var errEnough = errors.New("enough was read")

// Jobs lists what read finds on one page after the other, beginning with "". A
// job that moves to the next page while somebody reads comes once.
func Jobs(read func(page string) (jobs []ats.Job, next string, err error)) iter.Seq2[ats.Job, error] {
	return func(yield func(ats.Job, error) bool) {
		seen := map[string]bool{}
		err := Each(jobPages, func(page string) (string, error) {
			jobs, next, err := read(page)
			if err != nil {
				return "", err
			}
			for _, j := range jobs {
				if seen[j.ID] || j.ID == "" {
					continue
				}
				seen[j.ID] = true
				if !yield(j, nil) {
					return "", errEnough
				}
			}
			return next, nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(ats.Job{}, err)
		}
	}
}

// Number is the page that a vendor counts, by the text of a page of Jobs; the
// first one is first.
func Number(page string, first int) int {
	if n, err := strconv.Atoi(page); err == nil {
		return n
	}
	return first
}
