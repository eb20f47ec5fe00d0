package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// seal tells contents apart, also by the values that they refer to and by what
// could not be read. It never leaves the process: it could be used to guess
// weak secrets.
func seal(files []*file, more []byte) string {
	var parts []string
	for _, f := range files {
		parts = append(parts, f.name, string(f.text))
		for _, r := range f.refs {
			parts = append(parts, r.name, r.value)
		}
		parts = append(parts, sentences(f.problems)...)
	}
	return digest(append(parts, string(more)))
}

// hash names contents for people, who may compare it between processes.
func hash(files []*file, more []byte) string {
	var parts []string
	for _, f := range files {
		parts = append(parts, string(f.text))
	}
	return digest(append(parts, string(more)))[:12]
}

func digest(parts []string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return hex.EncodeToString(h.Sum(nil))
}
