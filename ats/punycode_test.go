package ats

import "testing"

// The labels are the examples of RFC 3492, section 7.1, and a few domains.
func TestPunycode(t *testing.T) {
	tests := map[string]string{
		"ليهمابتكلموشعربي؟":                        "egbpdaj6bu4bxfgehfvwxn",
		"他们为什么不说中文":                                "ihqwcrb4cv8a8dqg056pqjye",
		"なぜみんな日本語を話してくれないのか":                       "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa",
		"세계의모든사람들이한국어를이해한다면얼마나좋을까":                 "989aomsvi5e83db1d2a355cv1e0vak1dwrv93d5xbh15a0dt30a5jpsd879ccm6fea98c",
		"почемужеонинеговорятпорусски":             "b1abfaaepdrnnbgefbadotcwatmq2g4l",
		"3年b組金八先生":                                 "3b-ww4c5e180e575a65lsy2b",
		"安室奈美恵-with-super-monkeys":                 "-with-super-monkeys-pc58ag80a8qai00g7n9n",
		"ひとつ屋根の下2":                                 "2-u9tlzr9756bt3uc0v",
		"majiでkoiする5秒前":                            "majikoi5-783gue6qz075azm5e",
		"パフィーdeルンバ":                                "de-jg4avhby1noc0d",
		"そのスピードで":                                  "d9juau41awczczp",
		"bücher":                                   "bcher-kva",
		"tạisaohọkhôngthểchỉnóitiếngviệt":          "tisaohkhngthchnitingvit-kjcr8268qyxafd2f1b9g",
		"porquénopuedensimplementehablarenespañol": "porqunopuedensimplementehablarenespaol-fmd56a",
		"\U0001F600": "e28h",
	}
	for label, want := range tests {
		if got := punycode(label); got != want {
			t.Errorf("punycode(%s): got %s, want %s", label, got, want)
		}
	}
}
