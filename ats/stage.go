package ats

import "regexp"

// stages are the words by which a vendor's stage is recognised; the first that
// fits counts. 最終面接 is also an interview, and an interview may be about a
// review or a case.
var stages = []struct {
	kind  StageKind
	words *regexp.Regexp
}{
	{Final, regexp.MustCompile(`(?i)最終|役員|社長|オファー|内定|final|executive|offer`)},
	{Interview, regexp.MustCompile(`(?i)面接|面談|技術課題|ワークサンプル|グループディスカッション|interview|on-?site|phone|\bvideo\b|\bcall\b|case study|assessment|take.?home`)},
	{Document, regexp.MustCompile(`(?i)書類|応募|エントリー|適性|application|applicant|applied|resume|résumé|\bcv\b|review|sourced|screen|\b(leads?|new)\b`)},
}

// StageKindOf recognises how far a candidate had come by the vendor's word for
// the stage; "" when it does not tell.
func StageKindOf(stage string) StageKind {
	stage = fold(stage)
	for _, s := range stages {
		if s.words.MatchString(stage) {
			return s.kind
		}
	}
	return ""
}
