package sending

// words says each code in a sentence: Japanese, English.
var words = map[string][2]string{
	CodeScheduled:     {"予定の時刻に送ります。", "It goes out at its time."},
	CodeRepeated:      {"すでに知っているできごとが、別の受信でもう一度届きました。何も変えません。", "Another delivery told this before; it changes nothing."},
	CodeStale:         {"すでに知っている状態より古いできごとなので、何も変えません。", "The event is older than what is known and changes nothing."},
	CodeErased:        {"候補者の情報は消去済みです。", "The candidate was erased."},
	CodeNotRejected:   {"いまは見送りの状態ではありません。", "The application is not rejected now."},
	CodeCandidateSide: {"候補者からの辞退なので、結果のメールは送りません。", "The candidate ended it, so no result is sent."},
	CodeUnknownSide:   {"会社と候補者のどちらが終えたのか分かりません。", "It is not known who ended the application."},
	CodePurposeOff:    {"この会社では、このメールを使わない設定です。", "The company does not use this mail."},
	CodeWritten:       {"この応募には、すでに結果のメールを出しています。", "The result was already sent for this application."},
	CodeNoAddress:     {"メールアドレスが届いていません。ATSで入力して送り直すと、宛先が入ります。", "There is no address; once the ATS sends it again with one, the mail gets it."},
	CodeNotAnAddress:  {"メールアドレスとして読めません。ATSで直して送り直すと、宛先が入ります。", "What stands for the address is none; once the ATS sends it again with one, the mail gets it."},
	CodeSeveral:       {"メールアドレスが複数あり、どれが本人か分かりません。ATSで一つにして送り直すと、宛先が入ります。", "There are several addresses, and nobody knows whose; once the ATS sends it again with one, the mail gets it."},
	CodeBadAddress:    {"メールアドレスに疑いがあります。人が確かめるまで送りません。", "The address is doubtful; a person must check it."},
	CodeDoNotContact:  {"ATSに「連絡しない」と記録されています。", "The ATS says not to contact this person."},
	CodeAgent:         {"人材紹介会社からの応募なので、本人へ直接は送りません。", "An agency introduced this person, who is not written to directly."},
	CodeInternal:      {"社内からの応募なので送りません。", "Internal applicants are not written to."},
	CodeConfidential:  {"非公開の求人なので送りません。", "The job is confidential, so nothing is sent."},
	CodeSuppressed:    {"停止リストにあるアドレスです。届かないか、受け取りを断られています。", "The address is on the suppression list: it is dead, or refused our mails."},
	CodeTestName:      {"テスト用の応募のようです。人が確かめるまで送りません。", "The name looks like a test; a person must check it."},
	CodeNoName:        {"宛名に使える氏名がありません。人が確かめるまで送りません。", "There is no usable name; a person must check it."},
	CodeCold:          {"過去の分の取り込みなので、人が確かめるまで送りません。", "It came with history; a person must release it."},
	CodeHistory:       {"接続を始める前に、ずっと前か、いつとも分からず決まっていたことなので、メールは作りません。", "It was decided long before the connection, or nobody knows when, so no mail is written."},
	CodeEmbargo:       {"候補者に知らせてよい日時が、ATSから届いていません。人が確かめるまで送りません。", "The ATS did not say from when on the candidate may be told; a person must check it."},
	CodeMaxAge:        {"決定から日数がたっています。人が確かめるまで送りません。", "The decision is too old; a person must release it."},
	CodeBrakeVolume:   {"いつもより多いため、ブレーキがかかりました。人が確かめるまで送りません。", "More than usual: the brake holds it until a person looks."},
	CodeBrake:         {"ブレーキがかかっています。解除されるまで待ちます。", "A brake is on; it waits until that is released."},
	CodeNotDue:        {"送る時刻を待っています。", "It waits for its time."},
	CodeWindow:        {"送ってよい時間帯を待っています。", "It waits for the sending hours."},
	CodePaced:         {"まとめて送信予定に戻したので、少しずつ順に送ります。", "Many were released together, and they leave one after the other."},
	CodeDryRun:        {"お試しの設定なので、送っていません。", "Dry run: it was not sent."},
	CodeLinkOnly:      {"ATSがメールを送る設定なので、こちらからは送りません。", "The ATS writes the mail itself."},
	CodeGo:            {"いま送ります。", "It goes out now."},
	CodeReopened:      {"選考が再開されました。", "The application was reopened."},
	CodeWithdrawn:     {"候補者が辞退しました。", "The candidate withdrew."},
	CodeHired:         {"採用が決まりました。", "The candidate was hired."},
	CodeClosed:        {"求人が終了したので、結果のメールは送りません。", "The position was closed, so no result is sent."},
	CodeMerged:        {"候補者の記録が、ATSで別の記録にまとめられました。", "The candidate was merged with another one in the ATS."},
	CodeFutureTime:    {"決定の日時が未来になっています。人が確かめるまで送りません。", "The decision is dated in the future; a person must check it."},
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
