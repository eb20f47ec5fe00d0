package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

// uploadLife is how long a file waits for its import, and uploadPlaces how many
// of one company may wait.
const (
	uploadLife   = 24 * time.Hour
	uploadPlaces = 20
)

const uploadColumns = `id, company, connection, preset, sheet, size, actor, created_at, expires_at`

// SaveUpload keeps a file sealed until it is imported, dropped, or a day is
// over, and returns it with its id.
func (s *Store) SaveUpload(ctx context.Context, actor record.Actor, u record.Upload, content []byte) (record.Upload, error) {
	aead, err := s.companyKey(ctx, u.Company)
	if err != nil {
		return u, err
	}
	now := s.Now()
	u.ID, u.Actor, u.Size, u.CreatedAt, u.ExpiresAt = s.newID(), actor.Name, len(content), now, now.Add(uploadLife)
	sealed := encrypt(aead, "upload "+u.ID, s2.Encode(nil, content))
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		if err := t.lockCompany(ctx, u.Company); err != nil {
			return err
		}
		var waiting int
		if err := t.QueryRowContext(ctx, `SELECT count(*) FROM uploads WHERE company = $1 AND expires_at > $2`, u.Company, micros(now)).Scan(&waiting); err != nil {
			return err
		}
		if waiting >= uploadPlaces {
			return ats.Errorf(ats.Conflict, "%d files of %s wait already; import or drop some of them", waiting, u.Company)
		}
		_, err := t.exec(ctx, `INSERT INTO uploads (`+uploadColumns+`, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			u.ID, u.Company, u.Connection, u.Preset, u.Sheet, u.Size, u.Actor, micros(u.CreatedAt), micros(u.ExpiresAt), sealed)
		if err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "upload", Noun: "file", Subject: u.ID, Company: u.Company, Detail: u.Connection})
	})
	if err != nil && ats.FaultOf(err) != ats.Conflict {
		err = unavailable("keeping a file", err)
	}
	return u, err
}

func scanUpload(row scanner, more ...any) (u record.Upload, err error) {
	var created, expires int64
	err = row.Scan(append([]any{&u.ID, &u.Company, &u.Connection, &u.Preset, &u.Sheet, &u.Size, &u.Actor, &created, &expires}, more...)...)
	u.CreatedAt, u.ExpiresAt = clockTime(created), clockTime(expires)
	return u, err
}

// Uploads lists the files of a company that wait, the newest first.
func (s *Store) Uploads(ctx context.Context, company string) ([]record.Upload, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+uploadColumns+` FROM uploads WHERE company = $1 AND expires_at > $2 ORDER BY id DESC`, company, micros(s.Now()))
	if err != nil {
		return nil, unavailable("listing files", err)
	}
	var out []record.Upload
	err = scan(rows, func() error {
		u, err := scanUpload(rows)
		out = append(out, u)
		return err
	})
	if err != nil {
		return nil, unavailable("listing files", err)
	}
	return out, nil
}

// Upload returns a file that waits, with its content.
func (s *Store) Upload(ctx context.Context, id string) (record.Upload, []byte, error) {
	var sealed []byte
	u, err := scanUpload(s.read.QueryRowContext(ctx, `SELECT `+uploadColumns+`, content FROM uploads WHERE id = $1 AND expires_at > $2`, id, micros(s.Now())), &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return u, nil, ats.Errorf(ats.NotFound, "no file %s: it was imported or dropped, or its day is over; upload it once more", id)
	}
	if err != nil {
		return u, nil, unavailable("reading a file", err)
	}
	aead, err := s.companyKey(ctx, u.Company)
	if err != nil {
		return u, nil, err
	}
	content, err := open(aead, "upload "+id, sealed)
	return u, content, err
}

// ReadUploadBy sets the preset by which a file that waits is read.
func (s *Store) ReadUploadBy(ctx context.Context, id, preset string) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE uploads SET preset = $1 WHERE id = $2`, preset, id)
		return err
	})
	if err != nil {
		return unavailable("choosing a preset", err)
	}
	return nil
}

// DropUpload deletes a file that waits, because somebody said so.
func (s *Store) DropUpload(ctx context.Context, actor record.Actor, u record.Upload, reason string) error {
	return s.removeUpload(ctx, u.ID, func(ctx context.Context, t *tx) error {
		return t.audit(ctx, actor, record.Audit{Verb: "drop", Noun: "file", Subject: u.ID, Company: u.Company, Reason: reason})
	})
}

// ForgetUpload deletes a file that was imported.
func (s *Store) ForgetUpload(ctx context.Context, id string) error {
	return s.removeUpload(ctx, id, func(context.Context, *tx) error { return nil })
}

func (s *Store) removeUpload(ctx context.Context, id string, note func(context.Context, *tx) error) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `DELETE FROM uploads WHERE id = $1`, id)
		if err != nil {
			return err
		}
		return note(ctx, t)
	})
	if err != nil {
		return unavailable("deleting a file", err)
	}
	return nil
}

// SavePreset keeps what a company explained, in place of what it explained under
// that name before.
func (s *Store) SavePreset(ctx context.Context, actor record.Actor, p record.Preset) error {
	p.Actor, p.UpdatedAt = actor.Name, s.Now()
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	err = s.update(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO presets (company, name, preset) VALUES ($1, $2, $3) ON CONFLICT (company, name) DO UPDATE SET preset = excluded.preset`, p.Company, p.Name, string(text))
		if err != nil {
			return err
		}
		return t.audit(ctx, actor, record.Audit{Verb: "save", Noun: "preset", Subject: p.Name, Company: p.Company, Detail: fmt.Sprintf("%d columns, %d labels", len(p.Columns), len(p.Outcomes))})
	})
	if err != nil {
		return unavailable("saving a preset", err)
	}
	return nil
}

// Presets lists what a company explained, by name.
func (s *Store) Presets(ctx context.Context, company string) ([]record.Preset, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT preset FROM presets WHERE company = $1 ORDER BY name`, company)
	if err != nil {
		return nil, unavailable("listing presets", err)
	}
	var out []record.Preset
	err = scan(rows, func() error {
		var text string
		var p record.Preset
		if err := rows.Scan(&text); err != nil {
			return err
		}
		err := json.Unmarshal([]byte(text), &p)
		out = append(out, p)
		return err
	})
	if err != nil {
		return nil, unavailable("listing presets", err)
	}
	return out, nil
}
