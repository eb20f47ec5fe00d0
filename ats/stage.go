package ats

import (
	"regexp"
	"strings"
)

// stages are the words by which a vendor's stage is recognised; the first that
// fits counts.
var stages = []struct {
	kind  StageKind
	words *regexp.Regexp
}{
	{Final, regexp.MustCompile(`(?i)最終|役員|社長|final|executive|offer|オファー|内定`)},
	{Interview, regexp.MustCompile(`(?i)面接|面談|interview|on-?site|phone|screen call|video|技術課題|case study|assessment|take.?home`)},
	{Document, regexp.MustCompile(`(?i)書類|応募|エントリー|適性|application|applicant|resume|review|sourced|lead|new|screen`)},
}

// StageKindOf recognises how far a candidate had come by the vendor's word for
// the stage; "" when it does not tell.
func StageKindOf(stage string) StageKind {
	stage = strings.TrimSpace(stage)
	for _, s := range stages {
		if stage != "" && s.words.MatchString(stage) {
			return s.kind
		}
	}
	return ""
}
