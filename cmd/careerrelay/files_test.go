package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/career-relay/connector/web/webtest"
)

// TestAFileInABrowser takes an exported list in on a telephone without script:
// upload, a label explained, import, release, and only then a mail.
func TestAFileInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("short: needs a browser")
	}
	places := startDemo(t)
	console := strings.TrimSuffix(places["console"], "/")
	day := time.Now().AddDate(0, 0, -1).Format("2006/1/2")
	list := filepath.Join(t.TempDir(), "list.csv")
	write(t, list, "応募ID,氏名,メール,職種,選考結果,選考終了日\n"+
		"W-1,小川 灯,akari@example.jp,販売,不採用,"+day+"\n"+
		"W-2,森 樹,itsuki@example.jp,販売,ご縁なし×,"+day+"\n"+
		"W-3,林 澪,mio@example.jp,販売,選考中,\n")
	p := webtest.Open(t).Page(t, webtest.Device{Width: 390, Height: 844, NoScript: true, Lang: "ja"})
	look := func(want ...string) {
		t.Helper()
		text := p.Text()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Fatalf("%s lacks %q:\n%s", p.URL(), w, text)
			}
		}
		if n, small := p.Overflow(), p.Small(24); n > 0 || len(small) > 0 {
			t.Errorf("%s: %d px too wide, too small: %q", p.URL(), n, small)
		}
		if strings.Contains(text, "akari@") || strings.Contains(text, "小川") {
			t.Errorf("%s shows personal data:\n%s", p.URL(), text)
		}
	}
	written := func() string {
		p.Go(console + "/mails?" + url.Values{"company": {everyDoor}, "state": {"sent"}}.Encode())
		return p.HTML() // a narrow window shows fewer columns
	}
	p.Go(places["console"])
	p.Follow(func() { p.Click(`form[action="/login/demo"] button`) })
	p.Go(console + "/companies/" + everyDoor)
	p.Follow(func() { p.Click(fmt.Sprintf(`a[href="/companies/%s/files"]`, everyDoor)) })
	look("まだありません", "csv")

	p.Choose("#file", list)
	p.Select("#connection", "csv")
	p.Follow(func() { p.Click(`form[enctype] button`) })
	look("3行のうち1行がメールになります", "ご縁なし×", "小…", "選考は終わっていません", "不明な言葉")
	p.Select(`select[name="means"]`, "rejected")
	p.Follow(func() { p.Click(`form[action$="/explain"] button`) })
	look("3行のうち2行がメールになります")
	if text := p.Text(); strings.Contains(text, "不明な言葉") {
		t.Errorf("the label is not explained:\n%s", text)
	}
	p.Click("#reason")
	p.Type("秋の不採用分")
	p.Follow(func() { p.Click(`form[action$="/import"] button`) })
	look("取り込みのメールは、ここで許可するまで出ません")
	batch := p.URL()
	waitFor(t, "the mails to be written", func() bool {
		p.Go(batch)
		p.Follow(func() { p.Click(`a[href^="/mails/release"]`) })
		return strings.Contains(p.Text(), "2通")
	})
	if text := written(); strings.Contains(text, "W-1") {
		t.Fatalf("a mail left before its release:\n%s", text)
	}
	p.Go(batch)
	p.Follow(func() { p.Click(`a[href^="/mails/release"]`) })
	p.Click("#reason")
	p.Type("確認済み")
	p.Follow(func() { p.Click(`form[action^="/mails/release"] button`) })
	look("送信予定に戻")
	waitFor(t, "both mails to leave", func() bool { return strings.Contains(written(), "W-1") && strings.Contains(written(), "W-2") })

	// What was explained is there for the next file, and the file is gone.
	p.Go(console + "/companies/" + everyDoor + "/files")
	look("ご縁なし×", "待っているファイルはありません")
}
