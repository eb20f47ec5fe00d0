package store

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/career-relay/connector/ats"
)

// argon are the parameters of new passwords: argon2id with the second
// recommended setting of RFC 9106, 64 MiB and 3 passes. A password that was
// kept with others is kept anew at its next login.
var argon = argonParameters{memory: 64 * 1024, passes: 3, lanes: 4}

type argonParameters struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

const (
	minPassword = 10
	maxPassword = 1024 // bytes
)

func checkNewPassword(name, password string) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return ats.Errorf(ats.Invalid, "password: at least %d characters", minPassword)
	case len(password) > maxPassword:
		return ats.Errorf(ats.Invalid, "password: at most %d bytes", maxPassword)
	case strings.EqualFold(password, name), strings.Count(password, password[:1]) == len(password):
		return ats.Errorf(ats.Invalid, "password: too easy to guess")
	}
	return nil
}

// A password is kept in the usual form: $argon2id$v=19$m=65536,t=3,p=4$salt$key.
const argonForm = "$argon2id$v=%d$m=%d,t=%d,p=%d$"

func (s *Store) hashPassword(password string) string {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	return fmt.Sprintf(argonForm, argon2.Version, argon.memory, argon.passes, argon.lanes) +
		base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(s.stretch(argon, password, salt))
}

// stretch makes a key of a password, one at a time: it takes so much memory that
// many at once would be a way to stop the program.
func (s *Store) stretch(p argonParameters, password string, salt []byte) []byte {
	s.argonMu.Lock()
	defer s.argonMu.Unlock()
	return argon2.IDKey([]byte(password), salt, p.passes, p.memory, p.lanes, 32)
}

// checkPassword reports whether the password is right, and whether it is kept
// with today's parameters. What cannot be right takes as long: when there is
// no account or no password, nobody learns it from the time.
func (s *Store) checkPassword(stored, password string) (right, current bool) {
	p, salt, want, ok := parsePassword(stored)
	if !ok {
		p, salt, want = argon, make([]byte, 16), nil
	}
	if len(password) > maxPassword {
		password = ""
	}
	return subtle.ConstantTimeCompare(s.stretch(p, password, salt), want) == 1, p == argon
}

func parsePassword(stored string) (p argonParameters, salt, key []byte, ok bool) {
	var version int
	if n, err := fmt.Sscanf(stored, argonForm, &version, &p.memory, &p.passes, &p.lanes); err != nil || n != 4 || version != argon2.Version || p.passes == 0 || p.lanes == 0 {
		return p, nil, nil, false
	}
	parts := strings.Split(stored, "$")
	if len(parts) != 6 {
		return p, nil, nil, false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return p, nil, nil, false
	}
	key, err = base64.RawStdEncoding.DecodeString(parts[5])
	return p, salt, key, err == nil
}
