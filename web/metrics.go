package web

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts what happens, for /metrics. The zero value is ready to use.
// Labels hold names out of the configuration and words out of our own tables,
// so that their number stays bounded; never anything about a person.
type Metrics struct {
	version string

	once     sync.Once
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	hooks    *prometheus.CounterVec
	door     *prometheus.HistogramVec
	jobs     *prometheus.CounterVec
	work     *prometheus.HistogramVec
	mails    *prometheus.CounterVec
	logins   *prometheus.CounterVec

	mu    sync.Mutex
	level func(context.Context) level // what is read at a scrape
}

// NewMetrics returns metrics that name the running version.
func NewMetrics(version string) *Metrics { return &Metrics{version: version} }

// buckets reach from a webhook that is answered in a millisecond to a job that
// waits for a slow vendor.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func (m *Metrics) prepare() {
	m.once.Do(func() {
		counter := func(name, help string, labels ...string) *prometheus.CounterVec {
			return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "careerrelay_" + name, Help: help}, labels)
		}
		histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
			return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "careerrelay_" + name, Help: help, Buckets: buckets}, labels)
		}
		m.registry = prometheus.NewRegistry()
		m.requests = counter("http_requests_total", "Answered requests.", "listener", "route", "method", "code")
		m.seconds = histogram("http_request_seconds", "Time to answer a request.", "listener", "route")
		m.hooks = counter("hooks_total", "Deliveries at the door by what became of them.", "company", "vendor", "outcome")
		m.door = histogram("hook_seconds", "Time to answer a delivery at the door.", "vendor")
		m.jobs = counter("jobs_total", "Runs of jobs by outcome.", "kind", "outcome")
		m.work = histogram("job_seconds", "Time of one run of a job.", "kind")
		m.mails = counter("mails_total", "Settled mails by the class of their outcome.", "company", "class")
		m.logins = counter("logins_total", "Attempts to log in to the console.", "outcome")
		m.registry.MustRegister(m.requests, m.seconds, m.hooks, m.door, m.jobs, m.work, m.mails, m.logins, gauges{m},
			collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	})
}

// Job counts one run of a job.
func (m *Metrics) Job(kind, outcome string, took time.Duration) {
	m.prepare()
	m.jobs.WithLabelValues(kind, outcome).Inc()
	if took > 0 {
		m.work.WithLabelValues(kind).Observe(took.Seconds())
	}
}

// Mail counts one settled mail.
func (m *Metrics) Mail(company, class string) {
	m.prepare()
	m.mails.WithLabelValues(company, class).Inc()
}

// Hook counts one delivery at the door. company and vendor are empty when the
// address does not name a connection that is configured.
func (m *Metrics) Hook(company, vendor, outcome string, took time.Duration) {
	m.prepare()
	m.hooks.WithLabelValues(company, vendor, outcome).Inc()
	m.door.WithLabelValues(vendor).Observe(took.Seconds())
}

func (m *Metrics) login(outcome string) {
	m.prepare()
	m.logins.WithLabelValues(outcome).Inc()
}

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost}

// measure counts the requests of a listener by route, not by address: an
// address may hold a token.
func (m *Metrics) measure(listener string, now func() time.Time) gin.HandlerFunc {
	m.prepare()
	return func(c *gin.Context) {
		start := now()
		c.Next()
		route, method := c.FullPath(), c.Request.Method
		if route == "" {
			route = "none"
		}
		if !slices.Contains(methods, method) {
			method = "other"
		}
		m.requests.WithLabelValues(listener, route, method, strconv.Itoa(c.Writer.Status())).Inc()
		m.seconds.WithLabelValues(listener, route).Observe(now().Sub(start).Seconds())
	}
}

// A level is what is read when somebody scrapes.
type level struct {
	beat
	err    error
	broken map[string]int // problems of a company's newest file
	now    time.Time
}

// watch sets what is read at a scrape.
func (m *Metrics) watch(read func(context.Context) level) {
	m.prepare()
	m.mu.Lock()
	m.level = read
	m.mu.Unlock()
}

// handler answers a scrape.
func (m *Metrics) handler() http.Handler {
	m.prepare()
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// gauges is the part of the metrics that is read from SQL at a scrape.
type gauges struct{ m *Metrics }

var gaugeDescs = map[string]*prometheus.Desc{
	"build":      prometheus.NewDesc("careerrelay_build_info", "The running version.", []string{"version", "go"}, nil),
	"up":         prometheus.NewDesc("careerrelay_database_up", "1 when the numbers below could be read.", nil, nil),
	"deliveries": prometheus.NewDesc("careerrelay_deliveries_open", "Deliveries that are not settled.", []string{"company", "state"}, nil),
	"mails":      prometheus.NewDesc("careerrelay_mails_open", "Mails of the outbox that wait or need a person.", []string{"company", "state"}, nil),
	"jobs":       prometheus.NewDesc("careerrelay_jobs_open", "Jobs that are not finished.", []string{"company", "state"}, nil),
	"referrals":  prometheus.NewDesc("careerrelay_referrals_open", "Hand-overs that are not finished.", []string{"company", "state"}, nil),
	"due":        prometheus.NewDesc("careerrelay_queue_due", "Jobs that could run now.", []string{"queue"}, nil),
	"oldest":     prometheus.NewDesc("careerrelay_queue_oldest_seconds", "How long the longest waiting job is due.", []string{"queue"}, nil),
	"brakes":     prometheus.NewDesc("careerrelay_brakes_open", "Stops that need a person or a repair.", []string{"company", "kind"}, nil),
	"broken":     prometheus.NewDesc("careerrelay_config_problems", "Problems of a company's newest file.", []string{"company"}, nil),
}

// Describe implements prometheus.Collector.
func (g gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range gaugeDescs {
		to <- d
	}
}

// Collect implements prometheus.Collector. What it reads is at most a few
// seconds old and shared with the console.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	g.m.mu.Lock()
	read := g.m.level
	g.m.mu.Unlock()
	set := func(name string, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(gaugeDescs[name], prometheus.GaugeValue, v, labels...)
	}
	set("build", 1, g.m.version, runtime.Version())
	if read == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	l := read(ctx)
	for company, n := range l.broken {
		set("broken", float64(n), company)
	}
	if l.err != nil {
		set("up", 0)
		return
	}
	set("up", 1)
	for company, c := range l.Open {
		for name, states := range map[string]map[string]int{"deliveries": c.Deliveries, "mails": c.Mails, "jobs": c.Jobs, "referrals": c.Referrals} {
			for state, n := range states {
				set(name, float64(n), company, state)
			}
		}
	}
	for _, queue := range queues {
		b := l.Backlog[queue]
		set("due", float64(b.Due), queue)
		age := 0.0
		if b.Due > 0 {
			age = max(l.now.Sub(b.Oldest).Seconds(), 0)
		}
		set("oldest", age, queue)
	}
	for _, b := range l.Brakes {
		set("brakes", 1, b.Company, b.Kind) // a company has one of a kind at most
	}
}
