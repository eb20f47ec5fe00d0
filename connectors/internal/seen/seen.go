// Package seen remembers what a poller has told, for vendors that cannot be
// asked for what is new.
package seen

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/career-relay/connector/ats"
)

// A Set remembers things, each with the state in which it was seen last. It
// keeps hashes, so that its text, which is part of a cursor, holds no person
// and has the same short length for every thing. It is not used concurrently.
type Set struct {
	states map[uint64]uint32
}

// record is how many bytes a thing takes: those of its hash and its state's.
const record = 8 + 4

// Parse reads what Text wrote; "" is the empty set.
func Parse(text string) (*Set, error) {
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(raw)%record != 0 {
		return nil, ats.Errorf(ats.Invalid, "what was seen cannot be read")
	}
	s := &Set{states: make(map[uint64]uint32, len(raw)/record)}
	for one := range slices.Chunk(raw, record) {
		s.states[binary.BigEndian.Uint64(one)] = binary.BigEndian.Uint32(one[8:])
	}
	return s, nil
}

// Text writes the set. Equal sets have equal texts.
func (s *Set) Text() string {
	raw := make([]byte, 0, len(s.states)*record)
	for _, id := range slices.Sorted(maps.Keys(s.states)) {
		raw = binary.BigEndian.AppendUint64(raw, id)
		raw = binary.BigEndian.AppendUint32(raw, s.states[id])
	}
	return base64.RawStdEncoding.EncodeToString(raw)
}

// Note remembers a thing and reports whether it was new, or in another state.
func (s *Set) Note(id, state string) bool {
	key, now := hash(id), uint32(hash(state)>>32) // half of a hash
	before, ok := s.states[key]
	s.states[key] = now
	return !ok || before != now
}

// Forget forgets a thing and reports whether it was there.
func (s *Set) Forget(id string) bool {
	key := hash(id)
	_, there := s.states[key]
	delete(s.states, key)
	return there
}

func hash(s string) uint64 {
	sum := sha256.Sum256([]byte(s))
	return binary.BigEndian.Uint64(sum[:])
}
