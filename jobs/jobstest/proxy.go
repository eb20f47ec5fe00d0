package jobstest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy stands in front of a server and breaks the way to it on demand.
type Proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup
	done     chan struct{}

	mu     sync.Mutex
	delay  time.Duration
	refuse time.Time // until when connections are refused
	conns  map[net.Conn]bool
}

// Front puts a proxy in front of a server.
func Front(tb testing.TB, s *Server) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{listener: l, target: s.Address(), conns: map[net.Conn]bool{}, done: make(chan struct{})}
	p.wg.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// URL returns the REDIS_URL of the way through the proxy.
func (p *Proxy) URL() string { return "redis://" + p.listener.Addr().String() + "/0" }

// Cut breaks every open connection; new ones work.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Refuse breaks every open connection and takes none for a time.
func (p *Proxy) Refuse(d time.Duration) {
	p.mu.Lock()
	p.refuse = time.Now().Add(d)
	p.mu.Unlock()
	p.Cut()
}

// Delay keeps every piece of data back for a time, in both directions.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

func (p *Proxy) close() {
	close(p.done)
	_ = p.listener.Close()
	p.Cut()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		here, err := p.listener.Accept()
		if err != nil {
			return
		}
		there, err := net.Dial("tcp", p.target)
		if err != nil || !p.keep(here, there) {
			_ = here.Close()
			if err == nil {
				_ = there.Close()
			}
			continue
		}
		p.wg.Go(func() { p.copy(there, here) })
		p.wg.Go(func() { p.copy(here, there) })
	}
}

func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		return false
	default:
	}
	if time.Now().Before(p.refuse) {
		return false
	}
	for _, c := range conns {
		p.conns[c] = true
	}
	return true
}

// copy moves data until either side ends, then ends both.
func (p *Proxy) copy(to, from net.Conn) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range []net.Conn{to, from} {
			_ = c.Close()
			delete(p.conns, c)
		}
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		delay := p.delay
		p.mu.Unlock()
		select {
		case <-time.After(delay):
		case <-p.done:
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
