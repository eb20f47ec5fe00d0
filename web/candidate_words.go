package web

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// The languages of the candidate pages.
const (
	japanese = "ja"
	english  = "en"
)

// A catalogue holds every sentence of the pages by name and language. "|"
// stands where a heading may break, or between paragraphs.
type catalogue map[string]map[string]string

// mustWords reads a catalogue that is compiled in.
func mustWords(name string) catalogue {
	text, err := files.ReadFile(name)
	var words catalogue
	if err == nil {
		err = json.Unmarshal(text, &words)
	}
	if err != nil {
		panic(fmt.Errorf("%s: %w", name, err))
	}
	return words
}

var candidateWords = mustWords("templates/candidate/words.json")

// say returns a sentence with {name} filled in from pairs of names and values.
// A sentence that does not exist is an error: the tests try them all.
func (w catalogue) say(lang, key string, pairs ...any) (string, error) {
	s, ok := w[key][lang]
	if !ok {
		return "", fmt.Errorf("no words for %s in %s", key, lang)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		s = strings.ReplaceAll(s, fmt.Sprintf("{%v}", pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return s, nil
}

// negotiate returns the language for a browser's Accept-Language.
func negotiate(header string) string {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil || len(tags) == 0 {
		return japanese
	}
	_, at, _ := language.NewMatcher([]language.Tag{language.Japanese, language.English}).Match(tags...)
	return []string{japanese, english}[at]
}

var weekdays = [...]string{"日", "月", "火", "水", "木", "金", "土"}

// day writes a date out.
func day(t time.Time, lang string) string {
	if lang == english {
		return t.Format("Monday, 2 January 2006")
	}
	return t.Format("2006年1月2日") + "（" + weekdays[t.Weekday()] + "）"
}

// moment writes a date with the time of day.
func moment(t time.Time, lang string) string {
	if lang == english {
		return t.Format("Monday, 2 January 2006, 15:04")
	}
	return day(t, lang) + t.Format("15:04")
}

// short writes a date with the time of day, without the day of the week.
func short(t time.Time, lang string) string {
	if lang == english {
		return t.Format("2 January 2006, 15:04")
	}
	return t.Format("2006年1月2日 15:04")
}

// zoneName says which clock the times of a page follow.
func zoneName(z *time.Location, lang string) string {
	switch {
	case z.String() != "Asia/Tokyo":
		return z.String()
	case lang == english:
		return "Japan time"
	}
	return "日本時間"
}

// An option is one of the answers to a question. Its value is what is kept and
// handed over: it does not depend on the language.
type option struct {
	Value  string
	JA, EN string
}

func (o option) in(lang string) string {
	if lang == english {
		return o.EN
	}
	return o.JA
}

// label returns the words for a kept value, or the value itself when a newer
// version no longer knows it.
func label(options []option, value, lang string) string {
	for _, o := range options {
		if o.Value == value {
			return o.in(lang)
		}
	}
	return value
}

// prefectures are the codes of ISO 3166-2, in their order.
var prefectures = numbered([]string{
	"北海道 Hokkaido", "青森県 Aomori", "岩手県 Iwate", "宮城県 Miyagi", "秋田県 Akita", "山形県 Yamagata", "福島県 Fukushima",
	"茨城県 Ibaraki", "栃木県 Tochigi", "群馬県 Gunma", "埼玉県 Saitama", "千葉県 Chiba", "東京都 Tokyo", "神奈川県 Kanagawa",
	"新潟県 Niigata", "富山県 Toyama", "石川県 Ishikawa", "福井県 Fukui", "山梨県 Yamanashi", "長野県 Nagano", "岐阜県 Gifu",
	"静岡県 Shizuoka", "愛知県 Aichi", "三重県 Mie", "滋賀県 Shiga", "京都府 Kyoto", "大阪府 Osaka", "兵庫県 Hyogo", "奈良県 Nara",
	"和歌山県 Wakayama", "鳥取県 Tottori", "島根県 Shimane", "岡山県 Okayama", "広島県 Hiroshima", "山口県 Yamaguchi",
	"徳島県 Tokushima", "香川県 Kagawa", "愛媛県 Ehime", "高知県 Kochi", "福岡県 Fukuoka", "佐賀県 Saga", "長崎県 Nagasaki",
	"熊本県 Kumamoto", "大分県 Oita", "宮崎県 Miyazaki", "鹿児島県 Kagoshima", "沖縄県 Okinawa",
}, option{Value: "abroad", JA: "日本国外", EN: "Outside Japan"})

func numbered(names []string, last option) []option {
	var out []option
	for i, name := range names {
		ja, en, _ := strings.Cut(name, " ")
		out = append(out, option{Value: fmt.Sprintf("JP-%02d", i+1), JA: ja, EN: en})
	}
	return append(out, last)
}

// occupations are the families of jobs that statistics use too.
var occupations = []option{
	{"engineering", "ITエンジニア", "IT engineering"},
	{"data", "データ・AI", "Data and AI"},
	{"product", "プロダクト", "Product"},
	{"design", "デザイン・クリエイティブ", "Design and creative"},
	{"research", "研究・開発・設計（ものづくり）", "R&D and engineering design"},
	{"sales", "営業", "Sales"},
	{"marketing", "マーケティング・広報", "Marketing and PR"},
	{"cs", "カスタマーサクセス・サポート", "Customer success and support"},
	{"hr", "人事・採用", "Human resources"},
	{"finance", "経理・財務・金融専門", "Finance and accounting"},
	{"legal", "法務・知財", "Legal"},
	{"operations", "総務・事務・業務", "Administration and operations"},
	{"consulting", "コンサルティング", "Consulting"},
	{"management", "経営・企画・管理職", "Management and planning"},
	{"manufacturing", "製造・生産・保全", "Manufacturing and maintenance"},
	{"construction", "建設・設備工事", "Construction"},
	{"logistics", "物流・運転", "Logistics and driving"},
	{"medical", "医療", "Medical"},
	{"care", "介護・福祉", "Care and welfare"},
	{"education", "教育・保育", "Education and childcare"},
	{"food-service", "飲食・調理", "Food service"},
	{"retail", "販売・店舗", "Retail"},
	{"service", "サービス・美容・警備・清掃", "Personal and facility services"},
	{"other", "その他", "Other"},
}

// starts are the answers to when.
var starts = []option{
	{"within_3_months", "3か月以内", "Within 3 months"},
	{"within_6_months", "半年以内", "Within 6 months"},
	{"open", "よい機会があれば", "When something fits"},
}

// joined lists things in a sentence.
func joined(items []string, comma, and string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	last := len(items) - 1
	return strings.Join(items[:last], comma) + and + items[last]
}

// letter numbers the consents: (a), (b) and so on.
func letter(i int) string { return "(" + "abcdefgh"[i:i+1] + ")" }

// bounded reports whether s has at most n characters.
func bounded(s string, n int) bool { return len([]rune(s)) <= n }
