package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/connectors"
)

// Standard is the scheme of standardwebhooks.com: a code over id, time and body
// in three headers. The secret is whsec_ and base64, or plain text.
type Standard struct {
	Tolerance ats.Duration `yaml:"tolerance"`
}

// The headers of Standard.
const (
	standardID   = "Webhook-Id"
	standardTime = "Webhook-Timestamp"
	standardCode = "Webhook-Signature"
)

// Validate implements Scheme.
func (Standard) Validate(secrets []connectors.Secret) error {
	for i, s := range secrets {
		if len(standardKey(s)) == 0 {
			return fmt.Errorf("secrets[%d]: what follows whsec_ is not base64", i)
		}
	}
	return nil
}

// Verify implements Scheme.
func (v Standard) Verify(p connectors.Payload, secrets []connectors.Secret) (int, error) {
	var values [3]string
	for i, name := range []string{standardID, standardTime, standardCode} {
		var err error
		if values[i], err = (Place{Header: name}).get(p); err != nil {
			return 0, err
		}
	}
	if err := recent("the header "+standardTime, values[1], p.Received, v.Tolerance); err != nil {
		return 0, err
	}
	var codes [][]byte
	for code := range strings.FieldsSeq(values[2]) {
		if coded, ok := strings.CutPrefix(code, "v1,"); ok && len(codes) < maxCodes {
			if code, err := codecs["base64"].read(coded); err == nil {
				codes = append(codes, code)
			}
		}
	}
	return Find(p, secrets, func(s connectors.Secret) bool {
		key := standardKey(s)
		return len(key) > 0 && anyEqual(codes, [][]byte{standardSum(key, values[0], values[1], p.Body)})
	})
}

// Sign implements Scheme.
func (Standard) Sign(p connectors.Payload, secret connectors.Secret) (connectors.Payload, error) {
	hash := sha256.Sum256(p.Body)
	id, t := "msg_"+hex.EncodeToString(hash[:12]), strconv.FormatInt(p.Received.Unix(), 10)
	var err error
	for _, h := range [][2]string{
		{standardID, id}, {standardTime, t}, {standardCode, "v1," + codecs["base64"].write(standardSum(standardKey(secret), id, t, p.Body))},
	} {
		if p, err = (Place{Header: h[0]}).set(p, h[1]); err != nil {
			return p, err
		}
	}
	return p, nil
}

// standardKey returns the key that a secret stands for, nil for none.
func standardKey(s connectors.Secret) []byte {
	coded, ok := strings.CutPrefix(s.Value, "whsec_")
	if !ok {
		return []byte(s.Value)
	}
	key, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return nil
	}
	return key
}

func standardSum(key []byte, id, t string, body []byte) []byte {
	return sum("sha256", key, bytes.Join([][]byte{[]byte(id), []byte(t), body}, []byte(".")))
}
