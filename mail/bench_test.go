package mail_test

import (
	"testing"

	"github.com/career-relay/connector/mail"
)

func BenchmarkThanks(b *testing.B) {
	ts, s, l := load(b, nil), settings(), letter("ja")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ts.Thanks(s, l); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	m := thanks(b, load(b, nil), settings(), letter("ja"))
	b.ReportAllocs()
	for b.Loop() {
		if err := mail.Check(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mail.Load(nil); err != nil {
			b.Fatal(err)
		}
	}
}
