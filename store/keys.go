package store

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/career-relay/connector/ats"
)

// A keyring holds the master keys and the company keys that were unwrapped.
//
// Two levels: a master key wraps data keys, a data key encrypts columns. A
// person's data key encrypts everything about that person, so destroying one
// row erases the person in every table and backup. A company's data key
// encrypts raw deliveries, which are not yet understood to be about somebody.
type keyring struct {
	masters []master
	index   []byte // key of the searchable hashes, the same for the database's life

	mu        sync.RWMutex
	companies map[string]cipher.AEAD
}

// A master key is known in a wrapped blob by the first bytes of its hash.
type master struct {
	id   [4]byte
	aead cipher.AEAD
}

const keySize = 32

func newKeyring(keys [][]byte) (*keyring, error) {
	if len(keys) == 0 {
		return nil, ats.Errorf(ats.Invalid, "CAREERRELAY_KEY: required; make one with: openssl rand -base64 32")
	}
	k := &keyring{companies: map[string]cipher.AEAD{}}
	for i, key := range keys {
		if len(key) != keySize {
			return nil, ats.Errorf(ats.Invalid, "CAREERRELAY_KEY: key %d has %d bytes, want %d; make one with: openssl rand -base64 32", i+1, len(key), keySize)
		}
		wrap, err := hkdf.Key(sha256.New, key, nil, "career-relay wrap", keySize)
		if err != nil {
			return nil, err
		}
		aead, err := newAEAD(wrap)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(wrap)
		k.masters = append(k.masters, master{id: [4]byte(sum[:4]), aead: aead})
	}
	return k, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// wrap encrypts a data key for the row that context names, so that a wrapped
// key cannot be moved to another row.
func (k *keyring) wrap(key []byte, context string) []byte {
	m := k.masters[0]
	return append(bytes.Clone(m.id[:]), encrypt(m.aead, context, key)...)
}

// unwrap returns the data key, and whether it is wrapped by the first master.
func (k *keyring) unwrap(wrapped []byte, context string) (key []byte, current bool, err error) {
	if len(wrapped) < 4 {
		return nil, false, errors.New("wrapped key is cut")
	}
	for i, m := range k.masters {
		if !bytes.Equal(wrapped[:4], m.id[:]) {
			continue
		}
		key, err := m.aead.Open(nil, nil, wrapped[4:], []byte(context))
		if err != nil {
			return nil, false, fmt.Errorf("unwrapping the key of %s: %w", context, err)
		}
		return key, i == 0, nil
	}
	return nil, false, ats.Errorf(ats.Denied, "CAREERRELAY_KEY does not fit this database; use the key it was made with (several keys: the new one first, separated by a comma)")
}

func randomKey() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // crypto/rand never fails
	return key
}

// openKeys checks that the master keys fit the database. The index key is
// wrapped like the others; the first process makes it.
func (s *Store) openKeys(ctx context.Context, keys [][]byte) error {
	k, err := newKeyring(keys)
	if err != nil {
		return err
	}
	s.keys = k
	return s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO meta (name, value) VALUES ('index_key', $1) ON CONFLICT DO NOTHING`, k.wrap(randomKey(), "index"))
		if err != nil {
			return unavailable("opening the keys", err)
		}
		var wrapped []byte
		if err := t.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'index_key'`).Scan(&wrapped); err != nil {
			return unavailable("opening the keys", err)
		}
		key, current, err := k.unwrap(wrapped, "index")
		if err != nil {
			return err
		}
		k.index = key
		if current {
			return nil
		}
		_, err = t.exec(ctx, `UPDATE meta SET value = $1 WHERE name = 'index_key'`, k.wrap(key, "index"))
		return err
	})
}

// companyKey returns the company's cipher, making its key on first use.
func (s *Store) companyKey(ctx context.Context, company string) (cipher.AEAD, error) {
	s.keys.mu.RLock()
	aead, ok := s.keys.companies[company]
	s.keys.mu.RUnlock()
	if ok {
		return aead, nil
	}
	err := s.update(ctx, func(ctx context.Context, t *tx) error { return t.makeCompany(ctx, company) })
	if err != nil {
		return nil, unavailable("making a company's key", err)
	}
	var wrapped []byte
	if err := s.read.QueryRowContext(ctx, `SELECT wrapped_key FROM companies WHERE id = $1`, company).Scan(&wrapped); err != nil {
		return nil, unavailable("reading a company's key", err)
	}
	key, _, err := s.keys.unwrap(wrapped, "company "+company)
	if err != nil {
		return nil, err
	}
	if aead, err = newAEAD(key); err != nil {
		return nil, err
	}
	s.keys.mu.Lock()
	s.keys.companies[company] = aead
	s.keys.mu.Unlock()
	return aead, nil
}

// makeCompany makes the row of a company, with its key, unless there is one.
func (t *tx) makeCompany(ctx context.Context, company string) error {
	_, err := t.exec(ctx, `INSERT INTO companies (id, wrapped_key, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		company, t.s.keys.wrap(randomKey(), "company "+company), micros(t.s.Now()))
	return err
}

// lockCompany makes the transactions that count something of a company queue
// up.
func (t *tx) lockCompany(ctx context.Context, company string) error {
	if !t.pg {
		return nil // it has one writer anyway
	}
	lock := func() (int64, error) { return t.exec(ctx, `SELECT 1 FROM companies WHERE id = $1 FOR UPDATE`, company) }
	n, err := lock()
	if err != nil || n > 0 {
		return err
	}
	if err := t.makeCompany(ctx, company); err != nil {
		return err
	}
	_, err = lock()
	return err
}

// personKey returns the cipher of a person whose wrapped key was read.
func (s *Store) personKey(id string, wrapped []byte) (cipher.AEAD, error) {
	if len(wrapped) == 0 {
		return nil, ats.Errorf(ats.NotFound, "person %s was erased", id)
	}
	key, _, err := s.keys.unwrap(wrapped, "person "+id)
	if err != nil {
		return nil, err
	}
	return newAEAD(key)
}

func (s *Store) readPersonKey(ctx context.Context, q querier, id, lock string) (cipher.AEAD, error) {
	var wrapped []byte
	err := q.QueryRowContext(ctx, `SELECT wrapped_key FROM people WHERE id = $1`+lock, id).Scan(&wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ats.Errorf(ats.NotFound, "no person %s", id)
	}
	if err != nil {
		return nil, unavailable("reading a person's key", err)
	}
	return s.personKey(id, wrapped)
}

// Rewrap wraps every data key by the first master key and returns how many it
// changed. After that the other master keys can be taken off the list.
func (s *Store) Rewrap(ctx context.Context) (int, error) {
	changed := 0
	for _, table := range []struct{ name, context string }{{"companies", "company "}, {"people", "person "}} {
		after := ""
		for {
			n, last, err := s.rewrapPage(ctx, table.name, table.context, after)
			changed += n
			if err != nil {
				return changed, fmt.Errorf("rotating keys of %s: %w", table.name, err)
			}
			if last == "" {
				break
			}
			after = last
		}
	}
	return changed, nil
}

func (s *Store) rewrapPage(ctx context.Context, table, kind, after string) (changed int, last string, err error) {
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		changed, last = 0, ""
		wrapped := map[string][]byte{}
		rows, err := t.QueryContext(ctx, `SELECT id, wrapped_key FROM `+table+` WHERE id > $1 AND wrapped_key IS NOT NULL ORDER BY id LIMIT 500`+t.forUpdate(), after)
		if err != nil {
			return err
		}
		err = scan(rows, func() error {
			var id string
			var key []byte
			if err := rows.Scan(&id, &key); err != nil {
				return err
			}
			wrapped[id], last = key, id
			return nil
		})
		if err != nil {
			return err
		}
		for id, old := range wrapped {
			key, current, err := s.keys.unwrap(old, kind+id)
			if err != nil {
				return err
			}
			if current {
				continue
			}
			if _, err := t.exec(ctx, `UPDATE `+table+` SET wrapped_key = $1 WHERE id = $2`, s.keys.wrap(key, kind+id), id); err != nil {
				return err
			}
			changed++
		}
		return nil
	})
	return changed, last, err
}
