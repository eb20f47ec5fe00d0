package store

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/klauspost/compress/s2"
	"golang.org/x/text/unicode/norm"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mail"
)

// hash makes the searchable form of personal data: equal inputs of the same
// company have equal hashes, which without the key cannot be guessed from a
// list of addresses.
func (s *Store) hash(kind, company, value string) []byte {
	mac := hmac.New(sha256.New, s.keys.index)
	for _, part := range []string{kind, company, value} {
		_, _ = fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return mac.Sum(nil)
}

// addressRef is the hash of an address. Mailboxes differ by the case of their
// local part in theory only, so case is folded.
func (s *Store) addressRef(company string, address ats.Email) []byte {
	if address == "" {
		return nil
	}
	return s.hash("address", company, strings.ToLower(strings.TrimSpace(string(address))))
}

// nameIndex folds width and blanks away, so that a search finds 佐藤　美咲 too.
func (s *Store) nameIndex(company, name string) []byte {
	folded := strings.Join(strings.Fields(norm.NFKC.String(name)), "")
	if folded == "" {
		return nil
	}
	return s.hash("name", company, strings.ToLower(folded))
}

// seal encrypts v as JSON for the row that context names.
func seal(aead cipher.AEAD, context string, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", context, err)
	}
	return encrypt(aead, context, s2.Encode(nil, plain)), nil
}

// encrypt binds the ciphertext to the row that context names.
func encrypt(aead cipher.AEAD, context string, plain []byte) []byte {
	return aead.Seal(nil, nil, plain, []byte(context)) //nolint:gosec // this cipher makes a random nonce itself
}

// unseal decrypts what seal made.
func unseal(aead cipher.AEAD, context string, sealed []byte, v any) error {
	plain, err := open(aead, context, sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("unpacking %s: %w", context, err)
	}
	return nil
}

func open(aead cipher.AEAD, context string, sealed []byte) ([]byte, error) {
	packed, err := aead.Open(nil, nil, sealed, []byte(context))
	if err != nil {
		return nil, fmt.Errorf("decrypting %s: %w", context, err)
	}
	plain, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w", context, err)
	}
	return plain, nil
}

// sealMessage encrypts a mail.
func sealMessage(aead cipher.AEAD, context string, m mail.Message) ([]byte, error) {
	plain, err := appendMessage(nil, m)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", context, err)
	}
	return encrypt(aead, context, s2.Encode(nil, plain)), nil
}

// unsealMessage decrypts what sealMessage made.
func unsealMessage(aead cipher.AEAD, context string, sealed []byte) (mail.Message, error) {
	plain, err := open(aead, context, sealed)
	if err != nil {
		return mail.Message{}, err
	}
	m, err := readMessage(plain)
	if err != nil {
		return m, fmt.Errorf("unpacking %s: %w", context, err)
	}
	return m, nil
}

// sealPayload encrypts what came through a door into dst, which it returns.
func sealPayload(dst []byte, aead cipher.AEAD, context string, p connectors.Payload) []byte {
	b := scratch.Get().(*buffers) //nolint:forcetypeassert // nothing else is put there
	defer scratch.Put(b)
	b.plain = appendPayload(b.plain[:0], p)
	b.packed = s2.Encode(b.packed[:cap(b.packed)], b.plain)
	return aead.Seal(dst, nil, b.packed, []byte(context)) //nolint:gosec // this cipher makes a random nonce itself
}

// scratch keeps the buffers of a delivery for the next one.
var scratch = sync.Pool{New: func() any { return &buffers{} }}

type buffers struct{ plain, packed []byte }

// unsealPayload decrypts what sealPayload made.
func unsealPayload(aead cipher.AEAD, context string, sealed []byte) (connectors.Payload, error) {
	plain, err := open(aead, context, sealed)
	if err != nil {
		return connectors.Payload{}, err
	}
	p, err := readPayload(plain)
	if err != nil {
		return p, fmt.Errorf("unpacking %s: %w", context, err)
	}
	return p, nil
}
