package mail_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/career-relay/connector/ats"
	"github.com/career-relay/connector/mail"
)

const head = "---\nversion: 1\nsubject: 結果のご連絡\nwhy: ご応募への返信です。\n---\n"

func TestLoadRefuses(t *testing.T) {
	const file = "thank_you-final.ja.txt"
	body := func(s string) map[string]string { return map[string]string{file: head + "{{宛名}}\n" + s} }
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"an unknown variable":                   {body("{{氏名様}}"), file + ":7: {{氏名様}} is not a variable; did you mean 氏名?"},
		"a variable of another spelling":        {body("{{書類の取り扱い}}"), file + ":7: {{書類の取り扱い}} is not a variable; did you mean 書類の取扱い?"},
		"a variable like no other":              {body("{{給与の額について}}"), "is not a variable; have 宛名, 氏名, 姓"},
		"a reason":                              {body("{{reason}}"), file + ":7: {{reason}} is not a variable"},
		"a note":                                {body("{{評価}}"), file + ":7: {{評価}} is not a variable"},
		"an unknown variable in a condition":    {body("{{#if 求人}}x{{/if}}"), "{{求人}} is not a variable; did you mean 求人名?"},
		"a variable of another purpose":         {body("{{確認期限}}"), file + ":7: {{確認期限}} is not known in a thank_you letter"},
		"an unclosed condition":                 {body("{{#if 求人名}}\nx\n\ny"), file + ":7: {{#if 求人名}} is never closed; write {{/if}} on a line below"},
		"an unclosed condition in a line":       {body("a {{#if 求人名}}x"), file + ":7: {{#if 求人名}} is never closed; write {{/if}} in the same line"},
		"an end without a beginning":            {body("x\n{{/if}}"), file + ":8: {{/if}} closes nothing"},
		"an end without a beginning in a line":  {body("x {{/if}} y"), file + ":7: {{/if}} closes nothing in this line"},
		"an else without a beginning":           {body("{{else}}"), file + ":7: {{else}} closes nothing"},
		"two elses":                             {body("{{#if 一言}}\na\n{{else}}\nb\n{{else}}\nc\n{{/if}}"), file + ":11: {{else}} stands inside {{#if 一言}} of line 7, which is still open"},
		"unclosed braces":                       {body("{{氏名 様"), file + ":7: {{ is never closed; write }}"},
		"stray closing braces":                  {body("氏名}} 様"), file + ":7: }} closes nothing"},
		"full-width braces":                     {body("｛｛氏名｝｝"), "half-width braces"},
		"a loop":                                {body("{{#each 同意内容}}x{{/each}}"), "{{#each 同意内容}} is not in the language"},
		"an include":                            {body("{{> footer}}"), "{{> footer}} is not in the language"},
		"code":                                  {body(`{{printf "%s" .}}`), "is not a variable"},
		"a box that is never closed":            {body("=== ご案内\nx"), file + ":7: the box is never closed"},
		"a box closed by a condition":           {body("{{#if 一言}}\n=== a\nx\n{{/if}}\n==="), file + ":10: {{/if}} stands inside the box of line 8"},
		"a box closed twice":                    {body("=== a\nx\n===\n==="), file + ":10: === closes nothing"},
		"a box in a box":                        {body("=== a\n=== b\nx\n===\n==="), "a box cannot stand inside another"},
		"the offer in a box":                    {body("=== a\n{{キャリアリレー案内}}\n==="), "must stand on a line of its own, outside a box"},
		"the offer in a line":                   {body("x {{キャリアリレー案内}}"), "must stand on a line of its own"},
		"an address in a line":                  {body("こちら：{{案内URL}}"), "write [words]({{案内URL}}) on a line of its own"},
		"a bare link":                           {body("https://acme.example.jp/jobs"), "a link is written [words](https://…)"},
		"a link without https":                  {body("[求人](http://acme.example.jp/jobs)"), "an address with https://"},
		"a link with script":                    {body("[求人](javascript:alert(1))"), "an address with https://"},
		"a link to a word":                      {body("[求人]({{求人名}})"), "{{求人名}} is not an address to link to"},
		"a placeholder":                         {body("〇〇のご経験に感銘を受けました。"), file + ":7: 〇〇 is left to be filled in"},
		"another placeholder":                   {body("△△株式会社"), file + ":7: △△ is left to be filled in"},
		"a doubled honorific":                   {body("佐藤様 様"), "様 様"},
		"too deep":                              {body(strings.Repeat("{{#if 一言}}\n", 20)), "more than 8 levels"},
		"too deep in a line":                    {body(strings.Repeat("{{#if 一言}}", 20)), "more than 8 levels"},
		"no greeting":                           {map[string]string{file: head + "こんにちは。"}, file + ": needs {{宛名}} ({{greeting}})"},
		"a greeting that is only asked about":   {map[string]string{file: head + "{{#if 宛名}}こんにちは。{{/if}}"}, file + ": needs {{宛名}}"},
		"no head":                               {map[string]string{file: "{{宛名}}"}, file + ":1: must begin with a line ---"},
		"an endless head":                       {map[string]string{file: "---\nversion: 1\n"}, file + ":1: the head is never closed"},
		"no version":                            {map[string]string{file: strings.Replace(head, "version: 1\n", "", 1) + "{{宛名}}"}, "version: required"},
		"a version of prose":                    {map[string]string{file: strings.Replace(head, "version: 1", "version: the first one", 1) + "{{宛名}}"}, file + ":2: version: write"},
		"an unknown key":                        {map[string]string{file: strings.Replace(head, "subject:", "subjekt:", 1) + "{{宛名}}"}, file + `:3: "subjekt" is not a key of the head; did you mean subject?`},
		"a key twice":                           {map[string]string{file: strings.Replace(head, "why:", "subject: x\nwhy:", 1) + "{{宛名}}"}, "a second subject"},
		"an empty subject":                      {map[string]string{file: strings.Replace(head, "結果のご連絡", "", 1) + "{{宛名}}"}, "thank_you-final.ja.txt: subject: empty"},
		"an unknown variable in the subject":    {map[string]string{file: strings.Replace(head, "結果のご連絡", "{{会社}}", 1) + "{{宛名}}"}, file + ":3: {{会社}} is not a variable; did you mean 会社名?"},
		"a footer without the address":          {map[string]string{"footer.ja.txt": "---\nversion: 1\n---\n{{事業者名}} {{連絡先}}\n[停止]({{配信停止URL}})\n"}, "footer.ja.txt: needs {{事業者住所}} ({{legal_address}})"},
		"a footer without a way out":            {map[string]string{"footer.ja.txt": "---\nversion: 1\n---\n{{事業者名}} {{連絡先}} {{事業者住所}}\n"}, "footer.ja.txt: needs {{配信停止URL}}"},
		"a footer that hides behind a question": {map[string]string{"footer.ja.txt": "---\nversion: 1\n---\n{{#if 姓}}{{事業者名}} {{連絡先}} {{事業者住所}}{{/if}}\n{{#if 姓}}\n{{else}}\n[停止]({{配信停止URL}})\n{{/if}}\n"}, "the link does not stand in both parts"},
		"an offer in a footer":                  {map[string]string{"footer.ja.txt": "---\nversion: 1\n---\n{{キャリアリレー案内}}"}, "cannot stand inside another part"},
		"a receipt without what was agreed":     {map[string]string{"relay_receipt.en.txt": "---\nversion: 1\nsubject: x\nwhy: y\n---\n[x]({{my_page_url}})\n"}, "relay_receipt.en.txt: needs {{同意内容}} ({{agreed}})"},
		"a confirmation without its link":       {map[string]string{"relay_confirm.en.txt": "---\nversion: 1\nsubject: x\nwhy: y\n---\nx\n"}, "relay_confirm.en.txt: needs {{確認URL}} ({{confirm_url}})"},
		"a file of an unknown name":             {map[string]string{"thank_you-finals.ja.txt": head}, "thank_you-finals.ja.txt: no letter is called so; did you mean thank_you-final.ja.txt?"},
		"a file of an unknown language":         {map[string]string{"thank_you.fr.txt": head}, "thank_you.fr.txt: no letter is called so; did you mean thank_you"},
		"a file that is something else":         {map[string]string{"notes-about-everything.docx": "x"}, "no letter is called so; have footer.en.txt, footer.ja.txt"},
		"a folder":                              {map[string]string{"thank_you.ja.txt/x.txt": "x"}, "thank_you.ja.txt: "},
		"Shift_JIS":                             {map[string]string{file: "\x8d\xcc\x97p"}, file + ": not UTF-8"},
		"a huge file":                           {body(strings.Repeat("x", 40<<10)), file + ": larger than 32768 bytes"},
		"too much HTML":                         {body(strings.Repeat("x\n\n", 8<<10)), file + ": html: larger than 100 KB"},
		"a control character":                   {body("a\x07b"), "control character"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			own := fstest.MapFS{}
			for file, content := range tt.files {
				own[file] = &fstest.MapFile{Data: []byte(content)}
			}
			_, err := mail.Load(own)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v\nwant %s", err, tt.want)
			}
			if ats.FaultOf(err) != ats.Invalid {
				t.Errorf("fault %q", ats.FaultOf(err))
			}
		})
	}
}

func TestLoadReportsEverythingAtOnce(t *testing.T) {
	own := fstest.MapFS{
		"thank_you.ja.txt": {Data: []byte(head + "{{宛名}}\n{{氏}}\n\n{{求人}}\n")},
		"footer.en.txt":    {Data: []byte("---\nversion: 1\n---\n{{nam}}\n")},
	}
	_, err := mail.Load(own)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"thank_you.ja.txt:7: ", "thank_you.ja.txt:9: ", "footer.en.txt:4: {{nam}} is not a variable; did you mean name?"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

func TestLoadTakesOneFileOrNone(t *testing.T) {
	for name, own := range map[string]fstest.MapFS{
		"an empty folder":            {},
		"windows line ends and mark": {"thank_you.ja.txt": {Data: []byte("\ufeff" + strings.ReplaceAll(head+"{{宛名}}\nx\n", "\n", "\r\n"))}},
		"English names in Japanese":  {"thank_you.ja.txt": {Data: []byte(head + "{{ greeting }}\n{{#if job}}「{{job}}」{{else}}募集{{/if}}\n")}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := mail.Load(own); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := mail.Load(os.DirFS(filepath.Join(t.TempDir(), "nowhere"))); ats.FaultOf(err) != ats.Invalid {
		t.Errorf("a folder that is not there: got %v", err)
	}
}

func TestConditions(t *testing.T) {
	const body = `{{宛名}}
{{#if 求人名}}
A
{{#if 一言}}
B {{一言}}
{{else}}
C
{{/if}}
{{else}}
D
{{/if}}
E{{#if 求人名}}F{{#if 一言}}G{{/if}}{{else}}H{{/if}}I
{{#if 一言}}{{一言}}{{/if}}
J
`
	tests := map[string]struct{ job, line, want string }{
		"both":    {"経理", "とても心に残りました。", "A\nB とても心に残りました。\nEFGI\nとても心に残りました。\nJ"},
		"job":     {"経理", "", "A\nC\nEFI\nJ"},
		"line":    {"", "とても心に残りました。", "D\nEHI\nとても心に残りました。\nJ"},
		"neither": {"", "", "D\nEHI\nJ"},
	}
	ts := load(t, map[string]string{"thank_you-interview.ja.txt": head + body})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := letter("ja")
			l.Event.Job.Title, l.PersonalLine = tt.job, tt.line
			m := thanks(t, ts, settings(), l)
			if want := "佐藤 美咲 様\n" + tt.want + "\n\n-- \n"; !strings.HasPrefix(m.Text, want) {
				t.Errorf("got\n%s\nwant\n%s", m.Text, want)
			}
			if want := strings.ReplaceAll("佐藤 美咲 様\n"+tt.want, "\n", "<br>\n"); !strings.Contains(m.HTML, want) {
				t.Errorf("got\n%s\nwant\n%s", m.HTML, want)
			}
		})
	}
}
