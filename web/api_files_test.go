package web_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/career-relay/connector/configs"
	"github.com/career-relay/connector/intake"
	"github.com/career-relay/connector/record"
)

const fileHead = "応募ID,氏名,メール,職種,選考結果,メモ欄\n"

// newFilesOffice is an office whose first company imports files.
func newFilesOffice(t *testing.T) *office {
	t.Helper()
	return newOffice(t, func(o *office) {
		o.firms.all[0].Connections["list"] = configs.Connection{Vendor: "csv"}
	})
}

func TestFilesByTheAPI(t *testing.T) {
	o := newFilesOffice(t)
	token := o.token(record.Operator)
	file := fileHead + "1,髙橋 美咲,misaki@example.jp,営業,不採用,\n2,佐藤 花子,hanako@example.jp,営業,○△,\n"
	upload := func(query, body, token string) page {
		return o.api(http.MethodPost, "/companies/acme/files?"+query, body, token)
	}
	for name, tt := range map[string]struct {
		query, body, token string
		code               int
	}{
		"by a viewer":                 {"connection=list", file, o.token(record.Viewer), http.StatusForbidden},
		"by nobody":                   {"connection=list", file, "", http.StatusUnauthorized},
		"empty":                       {"connection=list", "", token, http.StatusBadRequest},
		"to a connection of webhooks": {"connection=greenhouse", file, token, http.StatusBadRequest},
		"by a preset that is none":    {"connection=list&preset=x", file, token, http.StatusNotFound},
		"too large":                   {"connection=list", strings.Repeat("x", 33<<20), token, http.StatusRequestEntityTooLarge},
	} {
		if p := upload(tt.query, tt.body, tt.token); p.code != tt.code {
			t.Errorf("%s: %d, want %d: %s", name, p.code, tt.code, p.body)
		}
	}
	u := answer[record.Upload](t, upload("connection=list", file, token))
	if u.Size != len(file) || u.Actor != "token:robot-operator" && u.Actor == "" || u.ExpiresAt.Sub(u.CreatedAt) != 24*time.Hour {
		t.Errorf("got %+v", u)
	}
	type preview struct {
		Counts map[intake.Verdict]int
		Labels []intake.LabelCount
		Unused []string
		Rows   []intake.Judged
	}
	p := o.api(http.MethodGet, "/files/"+u.ID, "", token)
	seen := answer[preview](t, p)
	if diff := cmp.Diff(map[intake.Verdict]int{intake.RowMail: 1, intake.RowUnknown: 1}, seen.Counts); diff != "" || !slices.Equal(seen.Unused, []string{"メモ欄"}) || len(seen.Rows) != 2 {
		t.Errorf("got %+v: %s", seen, diff)
	}
	for _, private := range []string{"髙橋", "misaki", "hanako"} {
		if strings.Contains(p.body, private) {
			t.Errorf("the preview shows %s", private)
		}
	}
	if p := o.api(http.MethodPost, "/files/"+u.ID+"/explain", `{"name":"list","outcomes":{"○△":"perhaps"}}`, token); p.code != http.StatusBadRequest {
		t.Errorf("a meaning that is none: %d %s", p.code, p.body)
	}
	if p := o.api(http.MethodPost, "/files/"+u.ID+"/explain", `{"name":"営業の一覧","outcomes":{"○△":"rejected"},"columns":{"メモ欄":"channel"}}`, token); p.code != http.StatusOK {
		t.Fatalf("explained: %d %s", p.code, p.body)
	}
	seen = answer[preview](t, o.api(http.MethodGet, "/files/"+u.ID+"?verdict=mail", "", token))
	if diff := cmp.Diff(map[intake.Verdict]int{intake.RowMail: 2}, seen.Counts); diff != "" || len(seen.Unused) != 0 {
		t.Errorf("explained: %+v: %s", seen, diff)
	}
	if p := o.api(http.MethodPost, "/files/"+u.ID+"/import", `{"reason":" "}`, token); p.code != http.StatusBadRequest {
		t.Errorf("without a reason: %d", p.code)
	}
	done := answer[intake.Kept](t, o.api(http.MethodPost, "/files/"+u.ID+"/import", `{"reason":"November"}`, token))
	if done.Saved != 2 || done.Waiting != 2 || done.Batch == "" {
		t.Errorf("imported %+v", done)
	}
	if p := o.api(http.MethodGet, "/files/"+u.ID, "", token); p.code != http.StatusNotFound {
		t.Errorf("after the import the file is there: %d", p.code)
	}
	// Whoever decodes the row later does not know the preset, and need not.
	deliveries, err := o.store.Deliveries(t.Context(), record.Filter{Company: "acme"})
	o.must(err)
	conn, err := o.ops.Open("acme", "list")
	o.must(err)
	for _, d := range deliveries {
		_, kept, err := o.store.Delivery(t.Context(), d.ID)
		o.must(err)
		if events, err := conn.Decode(kept.Payload); err != nil || len(events) != 1 || events[0].State != "rejected" {
			t.Errorf("a kept row means %+v, %v", events, err)
		}
	}
	presets := answer[list](t, o.api(http.MethodGet, "/companies/acme/presets", "", token))
	if len(presets.Items) != 1 || presets.Items[0]["name"] != "営業の一覧" {
		t.Errorf("presets: %+v", presets)
	}
	u = answer[record.Upload](t, upload("connection=list&preset="+"%E5%96%B6%E6%A5%AD%E3%81%AE%E4%B8%80%E8%A6%A7", file, token))
	if p := o.api(http.MethodPost, "/files/"+u.ID+"/drop", `{"reason":"by mistake"}`, token); p.code != http.StatusOK {
		t.Errorf("dropped: %d", p.code)
	}
	if left := answer[list](t, o.api(http.MethodGet, "/companies/acme/files", "", token)); len(left.Items) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// TestFilesInTheConsole uploads as a browser does, and as another site would.
func TestFilesInTheConsole(t *testing.T) {
	o := newFilesOffice(t)
	o.login(record.Operator)
	upload := func(csrf, origin, name, file string) page {
		t.Helper()
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for field, value := range map[string]string{"csrf": csrf, "connection": "list"} {
			o.must(w.WriteField(field, value))
		}
		part, err := w.CreateFormFile("file", name)
		o.must(err)
		_, err = part.Write([]byte(file))
		o.must(err)
		o.must(w.Close())
		return o.ask(http.MethodPost, "/companies/acme/files", body.String(), func(r *http.Request) {
			r.Header.Set("Content-Type", w.FormDataContentType())
			r.Header.Set("Origin", origin)
		})
	}
	good := fileHead + "1,髙橋 美咲,misaki@example.jp,営業,不採用,\n"
	if p := upload("", o.base, "a.csv", good); p.code != http.StatusForbidden {
		t.Errorf("without the session's token: %d", p.code)
	}
	if p := upload(o.csrf(), "https://elsewhere.test", "a.csv", good); p.code != http.StatusForbidden {
		t.Errorf("from another site: %d", p.code)
	}
	if p := upload(o.csrf(), o.base, "a.csv", ""); p.code != http.StatusBadRequest || !strings.Contains(p.body, "the file is empty") {
		t.Errorf("an empty file: %d\n%s", p.code, p.body)
	}
	p := upload(o.csrf(), o.base, "a.csv", good)
	if p.code != http.StatusSeeOther {
		t.Fatalf("uploaded: %d\n%s", p.code, p.body)
	}
	if left, err := o.store.Audits(t.Context(), record.Filter{Company: "acme", Limit: 1}); err != nil || len(left) != 1 || left[0].Verb != "upload" || left[0].Actor != "user:megumi-operator" {
		t.Errorf("the audit log: %+v, %v", left, err)
	}
	for _, lang := range []string{"ja", "en"} {
		if p := o.show(p.header.Get("Location"), lang); p.code != http.StatusOK || !strings.Contains(p.body, "髙…") || strings.Contains(p.body, "misaki@") {
			t.Errorf("%s: %d\n%s", lang, p.code, p.body)
		}
	}
	p = upload(o.csrf(), o.base, "b.csv", "%PDF-1.4 nothing")
	if p := o.show(p.header.Get("Location"), "en"); p.code != http.StatusOK || !strings.Contains(p.body, "This file cannot be read") || strings.Contains(p.body, `action="/files/01/import"`) {
		t.Errorf("no list at all: %d\n%s", p.code, p.body)
	}
	o.login(record.Viewer)
	if p := o.show("/companies/acme/files", "ja"); p.code != http.StatusForbidden {
		t.Errorf("a viewer: %d", p.code)
	}
}
