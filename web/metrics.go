package web

import "time"

// Metrics counts what happens, for /metrics.
type Metrics struct{}

// Job counts one run of a job.
func (m *Metrics) Job(kind, outcome string, took time.Duration) {}

// Mail counts one settled mail.
func (m *Metrics) Mail(company, class string) {}
