package apitest

import (
	"fmt"
	"strconv"
)

// A Job is one of an account's jobs, for calls that list them.
type Job struct {
	Number int
	Title  string
	Open   bool
}

// ID is the number as a text.
func (j Job) ID() string { return strconv.Itoa(j.Number) }

// Offer makes the account one with n open jobs, and a closed one behind every
// tenth of them.
func (s *Server) Offer(n int) {
	s.Lock()
	defer s.Unlock()
	s.jobs = nil
	for i := range n {
		s.jobs = append(s.jobs, Job{7000001 + 2*i, fmt.Sprintf("Engineer %d", i+1), true})
		if i%10 == 9 {
			s.jobs = append(s.jobs, Job{7000002 + 2*i, "Closed", false})
		}
	}
}

// Shown are the jobs that a list shows, each as show writes it: the open ones
// only when its filter is set. It is for Answer, which is locked.
func (s *Server) Shown(filtered bool, show func(Job) map[string]any) []map[string]any {
	out := []map[string]any{}
	for _, j := range s.jobs {
		if j.Open || !filtered {
			out = append(out, show(j))
		}
	}
	return out
}

// Part is size of all from start on, and whether more follow.
func Part[T any](all []T, start, size int) (part []T, more bool) {
	start = min(max(start, 0), len(all))
	end := min(start+max(size, 0), len(all))
	return all[start:end], end < len(all)
}

// Int is a number in a query, or otherwise when it is not there; -1 when it is
// none.
func Int(text string, otherwise int) int {
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}
