package main

import (
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/career-relay/connector/ats"
)

// settings are the environment, which flags override.
type settings struct {
	databaseURL, redisURL        string
	listen, opsListen, publicURL string
	key                          string
	sendGridKey, sendGridBase    string
	configs, data                string
	opsToken                     string
	otlp                         string
	logLevel, logFormat          string

	lookup func(string) (string, bool)
}

// bind makes a flag for every variable; the variable is the flag's default.
func (s *settings) bind(flags *pflag.FlagSet, lookup func(string) (string, bool)) {
	s.lookup = lookup
	for _, o := range []struct {
		field          *string
		variable       string
		standard, text string
		secret         bool
	}{
		{&s.databaseURL, "DATABASE_URL", "", "PostgreSQL address; empty for SQLite in the data folder", true},
		{&s.redisURL, "REDIS_URL", "", "redis://, rediss:// or redis-sentinel:// address; empty for one in this process", true},
		{&s.listen, "LISTEN", ":8080", "public address: webhooks and candidate pages", false},
		{&s.opsListen, "OPS_LISTEN", "127.0.0.1:8081", "address for operations: console, API, metrics", false},
		{&s.publicURL, "PUBLIC_URL", "", "base of links in mails (default http://localhost and the port of LISTEN)", false},
		{&s.key, "CAREERRELAY_KEY", "", "base64 of 32 bytes that encrypt personal data; several while rotating, the new one first, with commas between", true},
		{&s.sendGridKey, "SENDGRID_API_KEY", "", "key of companies that name none", true},
		{&s.sendGridBase, "SENDGRID_BASE_URL", "", "SendGrid's EU host or a test server", false},
		{&s.configs, "CONFIGS", "./configs", "folder of the companies' files", false},
		{&s.data, "DATA", "./data", "folder for what is kept locally", false},
		{&s.opsToken, "OPS_TOKEN", "", "an admin token of the API; off when empty", true},
		{&s.otlp, "OTEL_EXPORTER_OTLP_ENDPOINT", "", "where traces go, http(s)://host:4318; off when empty", false},
		{&s.logLevel, "LOG_LEVEL", "info", "debug, info, warn or error", false},
		{&s.logFormat, "LOG_FORMAT", "", "text or json (default text on a terminal, json otherwise)", false},
	} {
		value := o.standard
		if v, ok := lookup(o.variable); ok && v != "" {
			value = v
		}
		name := strings.ReplaceAll(strings.ToLower(o.variable), "_", "-")
		flags.StringVar(o.field, name, value, o.text+" ["+o.variable+"]")
		if o.secret {
			flags.Lookup(name).DefValue = "" // help must not print it
		}
	}
}

// check reports what no command can work with.
func (s *settings) check() error {
	var errs []error
	if s.publicURL == "" {
		s.publicURL = "http://localhost:" + port(s.listen)
	}
	s.publicURL = strings.TrimRight(s.publicURL, "/")
	u, err := url.Parse(s.publicURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" {
		errs = append(errs, errors.New("PUBLIC_URL: write https://host, as candidates reach this service"))
	}
	if s.databaseURL != "" && !strings.HasPrefix(s.databaseURL, "postgres://") && !strings.HasPrefix(s.databaseURL, "postgresql://") {
		errs = append(errs, errors.New("DATABASE_URL: write postgres://user:password@host:5432/database, or nothing for SQLite"))
	}
	var level slog.Level
	if level.UnmarshalText([]byte(s.logLevel)) != nil {
		errs = append(errs, errors.New("LOG_LEVEL: write debug, info, warn or error"))
	}
	if s.logFormat != "" && s.logFormat != "text" && s.logFormat != "json" {
		errs = append(errs, errors.New("LOG_FORMAT: write text or json"))
	}
	if err := errors.Join(errs...); err != nil {
		return ats.Errorf(ats.Invalid, "%w", err)
	}
	return nil
}

func port(address string) string {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		return "8080"
	}
	return p
}

func (s *settings) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.logLevel)) // checked before
	o := &slog.HandlerOptions{Level: level}
	if s.logFormat == "json" || s.logFormat == "" && !terminal(w) {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// terminal reports whether a person sees what is written to w.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// keys returns the master keys. Without CAREERRELAY_KEY a local database gets
// one of its own, kept beside it; a shared one never does, since the other
// processes could not read what it encrypts.
func (s *settings) keys() ([][]byte, error) {
	text := s.key
	if text == "" {
		if s.databaseURL != "" {
			return nil, ats.Errorf(ats.Invalid, "CAREERRELAY_KEY: required with DATABASE_URL; make one with: openssl rand -base64 32")
		}
		var err error
		if text, err = localKey(filepath.Join(s.data, "key")); err != nil {
			return nil, err
		}
	}
	var keys [][]byte
	for i, part := range strings.Split(text, ",") {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(part))
		if err != nil {
			return nil, ats.Errorf(ats.Invalid, "CAREERRELAY_KEY: key %d is not base64; make one with: openssl rand -base64 32", i+1)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// localKey reads the key file, making it on a first run. Two first runs at once
// agree on one key: the file is linked into place whole and never replaced.
func localKey(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", ats.Errorf(ats.Invalid, "reading the key: %w", err)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), "key-*")
	if err != nil {
		return "", ats.Errorf(ats.Invalid, "making the key: %w", err)
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	_, err = draft.WriteString(base64.StdEncoding.EncodeToString(randomBytes(32)) + "\n")
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return "", ats.Errorf(ats.Invalid, "making the key: %w", err)
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", ats.Errorf(ats.Invalid, "making the key: %w", err)
	}
	text, err = os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}
