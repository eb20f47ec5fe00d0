package sending

// words says each code in a sentence: Japanese, English.
var words = map[string][2]string{
	CodeScheduled:     {"予定の時刻に送ります。", "It goes out at its time."},
	CodeStale:         {"すでに知っている状態より古い知らせなので、何も変えません。", "The news is older than what is known and changes nothing."},
	CodeErased:        {"候補者の情報は消去されています。", "The candidate was erased."},
	CodeNotRejected:   {"いまは見送りの状態ではありません。", "The application is not rejected now."},
	CodeCandidateSide: {"候補者からの辞退なので、結果のメールは送りません。", "The candidate ended it, so there is no result to send."},
	CodeUnknownSide:   {"会社と候補者のどちらが終えたのか分かりません。", "It is not known who ended the application."},
	CodePurposeOff:    {"この会社は、このメールを使わない設定です。", "The company does not use this mail."},
	CodeWritten:       {"この応募には、すでに結果のメールを出しました。", "The result was sent for this application before."},
	CodeNoAddress:     {"使えるメールアドレスがありません。", "There is no usable address."},
	CodeBadAddress:    {"メールアドレスを人が確かめる必要があります。", "A person should look at the address."},
	CodeDoNotContact:  {"ATSで「連絡しない」と記録されています。", "The ATS says not to contact this person."},
	CodeAgent:         {"人材紹介会社からの応募なので、直接は送りません。", "An agency introduced the person, who is not written to directly."},
	CodeInternal:      {"社内からの応募なので送りません。", "An internal applicant is not written to."},
	CodeConfidential:  {"非公開の求人なので送りません。", "The job is confidential."},
	CodeSuppressed:    {"届かないか、受け取りを断られたアドレスです。", "The address is dead or refused our mails."},
	CodeTestName:      {"テスト用の応募のようです。", "The name looks like a test."},
	CodeNoName:        {"氏名がないか、読めない文字を含みます。宛名を人が確かめます。", "The name is missing or damaged; a person should look."},
	CodeCold:          {"過去の分の取り込みなので、人が確かめるまで送りません。", "It came with history; a person must release it."},
	CodeMaxAge:        {"決定から日がたちすぎています。人が確かめるまで送りません。", "The decision is too old; a person must release it."},
	CodeBrakeVolume:   {"いつもより多いため、ブレーキがかかりました。人が確かめるまで送りません。", "More than usual: the brake holds it until a person looks."},
	CodeBrake:         {"ブレーキがかかっています。", "A brake is on."},
	CodeNotDue:        {"送る時刻を待っています。", "It waits for its time."},
	CodeWindow:        {"送ってよい時間帯を待っています。", "It waits for the sending hours."},
	CodeStopped:       {"人が止めています。", "A person stopped it."},
	CodeDryRun:        {"お試しの設定なので、送りませんでした。", "Dry run: it was not sent."},
	CodeLinkOnly:      {"ATSがメールを送る設定なので、こちらからは送りません。", "The ATS writes the mail itself."},
	CodeGo:            {"送ります。", "It goes now."},
	CodeReopened:      {"選考が再開されました。", "The application was reopened."},
	CodeWithdrawn:     {"候補者が辞退しました。", "The candidate withdrew."},
	CodeHired:         {"採用が決まりました。", "The candidate was hired."},
	CodeClosed:        {"求人が終了しました。この版では、その知らせのメールは送りません。", "The position was closed; this version sends no mail about that."},
	CodeMerged:        {"ATSで候補者がまとめられました。", "The candidate was merged in the ATS."},
	CodeFutureTime:    {"決定の時刻が未来なので、こちらの時計を使いました。", "The decision lies in the future; our clock was used."},
}

// Words says a code in a sentence; an unknown code is returned as it is.
func Words(code, locale string) string {
	w, ok := words[code]
	switch {
	case !ok:
		return code
	case locale == "en":
		return w[1]
	}
	return w[0]
}

// Why says in one sentence what was decided and why.
func (p Plan) Why(locale string) string { return Words(p.Code, locale) }
