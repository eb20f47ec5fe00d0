package seen_test

import (
	"strconv"
	"testing"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors/internal/seen"
)

func TestSet(t *testing.T) {
	s, err := seen.Parse("")
	if err != nil || s.Text() != "" {
		t.Fatalf("got %q, %v", s.Text(), err)
	}
	for i, tt := range []struct {
		id, state string
		news      bool
	}{
		{"a", "rejected", true}, {"a", "rejected", false}, {"b", "rejected", true}, {"a", "withdrawn", true}, {"a", "rejected", true}, {"b", "rejected", false}, {"", "", true}, {"", "", false},
	} {
		if s, err = seen.Parse(s.Text()); err != nil {
			t.Fatal(err)
		}
		if got := s.Note(tt.id, tt.state); got != tt.news {
			t.Errorf("%d: %q as %q: got news %t, want %t", i, tt.id, tt.state, got, tt.news)
		}
	}
	if !s.Forget("b") || s.Forget("b") || s.Forget("c") || len(s.Text()) != 2*16 {
		t.Errorf("got %q after one of three was forgotten", s.Text())
	}
}

func TestText(t *testing.T) {
	one, _ := seen.Parse("")
	two, _ := seen.Parse("")
	for i := range 7000 {
		one.Note(strconv.Itoa(i), "rejected 2026-11-19T18:31:07+09:00")
		two.Note(strconv.Itoa(6999-i), "rejected 2026-11-19T18:31:07+09:00")
	}
	if one.Text() != two.Text() {
		t.Error("equal sets have other texts")
	}
	if n := len(one.Text()); n != 7000*16 {
		t.Errorf("7,000 things take %d bytes", n)
	}
	back, err := seen.Parse(one.Text())
	if err != nil || back.Text() != one.Text() {
		t.Errorf("read back it differs: %v", err)
	}
	for _, text := range []string{"?", "AAAA", one.Text()[1:], `{"page":2}`} {
		if _, err := seen.Parse(text); ats.FaultOf(err) != ats.Invalid {
			t.Errorf("%.10q: got %v, want invalid", text, err)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	s, _ := seen.Parse("")
	for i := range 7000 {
		s.Note(strconv.Itoa(i), "rejected")
	}
	text := s.Text()
	b.ReportAllocs()
	for b.Loop() {
		s, err := seen.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		for i := range 7000 {
			s.Note(strconv.Itoa(i), "rejected")
		}
		_ = s.Text()
	}
}
