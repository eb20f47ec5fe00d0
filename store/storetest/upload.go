package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/record"
)

var uploadTests = map[string]func(*testing.T, *bench){
	"a file waits until it is dropped or its day is over": func(t *testing.T, b *bench) {
		ctx, content := t.Context(), bytes.Repeat([]byte("佐藤 花子,hanako@example.jp\n"), 1000)
		var kept []record.Upload
		for range 2 {
			u, err := b.SaveUpload(ctx, operator, record.Upload{Company: "acme", Connection: "list"}, content)
			if err != nil {
				t.Fatal(err)
			}
			kept = append(kept, u)
		}
		if err := b.ReadUploadBy(ctx, kept[0].ID, "autumn"); err != nil {
			t.Fatal(err)
		}
		kept[0].Preset = "autumn"
		u, got, err := b.Upload(ctx, kept[0].ID)
		if diff := cmp.Diff(kept[0], u); err != nil || diff != "" || !bytes.Equal(got, content) {
			t.Errorf("%v, %d bytes: %s", err, len(got), diff)
		}
		if all, err := b.Uploads(ctx, "acme"); err != nil || len(all) != 2 || all[0].ID != kept[1].ID {
			t.Errorf("got %+v, %v", all, err)
		}
		if all, err := b.Uploads(ctx, "globex"); err != nil || len(all) != 0 {
			t.Errorf("another company has %+v, %v", all, err)
		}
		if err := b.DropUpload(ctx, operator, kept[0], "by mistake"); err != nil {
			t.Fatal(err)
		}
		b.clock.Pass(25 * time.Hour)
		for _, k := range kept {
			if _, _, err := b.Upload(ctx, k.ID); ats.FaultOf(err) != ats.NotFound {
				t.Errorf("got %v", err)
			}
		}
		if n, _, err := b.Purge(ctx, "acme", record.Retention{}); err != nil || n != 1 {
			t.Errorf("purged %d, %v", n, err)
		}
	},
	"only so many files of a company wait": func(t *testing.T, b *bench) {
		for i := range 21 {
			_, err := b.SaveUpload(t.Context(), operator, record.Upload{Company: "acme"}, []byte("x"))
			if full := ats.FaultOf(err) == ats.Conflict; full != (i == 20) {
				t.Fatalf("file %d: %v", i, err)
			}
		}
		if _, err := b.SaveUpload(t.Context(), operator, record.Upload{Company: "globex"}, []byte("x")); err != nil {
			t.Error(err)
		}
	},
	"a preset is saved for its company and in the audit log": func(t *testing.T, b *bench) {
		p := record.Preset{Company: "acme", Name: "autumn", Columns: map[string]string{"メモ": "channel"}, Outcomes: map[string]string{"○△": "rejected"}}
		for range 2 {
			if err := b.SavePreset(t.Context(), operator, p); err != nil {
				t.Fatal(err)
			}
		}
		all, err := b.Presets(t.Context(), "acme")
		p.Actor, p.UpdatedAt = operator.Name, b.clock.Now()
		if diff := cmp.Diff([]record.Preset{p}, all); err != nil || diff != "" {
			t.Errorf("%v: %s", err, diff)
		}
		if all, err := b.Presets(t.Context(), "globex"); err != nil || len(all) != 0 {
			t.Errorf("another company has %+v, %v", all, err)
		}
		if log, err := b.Audits(t.Context(), record.Filter{Company: "acme"}); err != nil || len(log) != 2 || log[0].Noun != "preset" {
			t.Errorf("audit %+v, %v", log, err)
		}
	},
}
