package web

// schemas are the shapes that bodies and answers have.
var schemas = map[string]shape{
	"Problem": {text: "An error (RFC 9457).", lines: `
		type text
		title text
		detail text Where, what, and what to do.
		status int`},
	"Order": {text: "One id, or a filter of the words that the list knows; email needs company beside it.", closed: true, lines: `
		id text? One, or several with commas between them.
		filter texts? Words of the list's query without after and limit; email where the rows have a person's address.
		reason text? Required unless dry_run; kept in the audit log. Write nothing personal.
		dry_run bool? Only count. True by default with a filter, false with an id.`},
	"Resolution": {closed: true, of: "Order", lines: `
		sent bool? Required unless dry_run: true when the mails left, false when they did not and shall go out again.`},
	"Rerun": {closed: true, of: "Order", lines: `
		rate int? Items handed to the workers in a minute at most; 0 for no bound.
		halt int? The batch pauses by itself after so many failures; 100 when left away.`},
	"Edit": {closed: true, lines: `
		personal_line text At most 120 characters on one line, without reasons, links or addresses; empty takes it out.
		reason text Kept in the audit log. Write nothing personal.`},
	"Reason": {closed: true, lines: `
		reason text Kept in the audit log. Write nothing personal.`},
	"Find": {closed: true, lines: `
		company text
		query text An address or a full name.`},
	"Done": {text: "What a verb did, or would do.", lines: `
		verb text
		matched int
		changed int
		skipped counts? How many were left alone, by reason.
		batch text? Set when more than one was changed, or when the workers do it.
		dry_run bool
		ids []text? The first hundred.
		samples lists? Of the preview of a batch: a few ids by reason, under the empty reason those that would be done.
		looked int? How many were looked at one by one, if not all.`},
	"Delivery": {text: "One raw payload and what became of it.", lines: `
		id text
		company text
		connection text
		vendor text
		door text
		disposition state:deliveries
		reason text
		repeats int Redeliveries answered with success.
		secret text? Name of the secret that the signature fitted.
		size int Bytes of the body.
		received_at time
		expires_at time? When the payload is deleted.`},
	"DeliveryDetail": {of: "Delivery", lines: `
		events []Event
		jobs []Job
		audit []Audit`},
	"Payload": {lines: `
		header lists?
		query lists?
		body text?
		body_base64 text? Of a body that is not text.`},
	"Application": {text: "One person's candidacy with the latest known state.", lines: `
		id text
		company text
		connection text
		vendor text
		application_id text The vendor's id.
		candidate_id text? The vendor's id.
		person_id text
		state state:applications
		side text company, candidate or unknown.
		evidence text
		job_title text?
		stage text?
		stage_kind text?
		locale text?
		decision text Code of the last decision.
		state_at time
		updated_at time`},
	"ApplicationDetail": {of: "Application", lines: `
		events []Event
		mails []Mail
		consents []Consent
		referrals []Referral
		audit []Audit`},
	"Candidate": {text: "Who applied. Personal.", lines: `
		id text?
		name text?
		family_name text?
		given_name text?
		kana text?
		email text?
		locale text?
		type text?
		do_not_contact bool?
		private bool?
		anonymized bool?`},
	"Check": {text: "One question that a decision asked, in order.", lines: `
		code text
		ok bool
		detail text?`},
	"Event": {text: "One fact about an application, with the decision about it.", lines: `
		id text
		delivery text
		application text
		state state:applications
		side text
		evidence text
		clock text Where the time was read: decided, sent or received.
		status text? The vendor's word.
		stale bool? Older than what was known: it changed nothing.
		action text mail, hold or none.
		code text
		checks []Check?
		occurred_at time
		created_at time`},
	"Mail": {text: "One message of the outbox without its content.", lines: `
		id text
		company text
		application text?
		application_id text The vendor's id.
		person_id text
		purpose text
		state state:mails
		stopped bool A held mail that waits for a person.
		released bool?
		urgent bool? A person wants it now.
		reason text
		template text
		version text
		locale text
		send_id text
		transport text?
		provider_id text?
		batch text? The import that planned it.
		delivery text? Last word of the provider.
		attempts int
		due_at time
		decided_at time?
		sent_at time?
		created_at time
		updated_at time`},
	"MailDetail": {of: "Mail", lines: `
		tries []Attempt
		provider_events []ProviderEvent
		jobs []Job
		audit []Audit`},
	"Attempt": {lines: `
		number int
		outcome text
		detail text?
		started_at time
		ended_at time?`},
	"ProviderEvent": {lines: `
		kind text
		detail text?
		at time`},
	"Address": {lines: `
		address text
		name text?`},
	"Sender": {text: "Who writes, for the legal footer.", lines: `
		name text
		address text
		contact text`},
	"Message": {text: "A mail exactly as it leaves. Personal.", lines: `
		send_id text
		company text
		purpose text
		from Address
		reply_to Address
		to Address
		subject text
		text text
		html text
		header texts?
		sender Sender
		unsubscribe text?
		personal_line text?
		template text
		version text
		locale text`},
	"Job": {text: "One unit of asynchronous work.", lines: `
		id text
		company text
		kind text
		queue text
		subject text The delivery, mail or referral it works on.
		state state:jobs
		seq int
		attempts int
		starts int
		error text
		fault text?
		deaths int? How often it died, or took its worker down; from 3 on it is poison.
		replay_of text?
		batch text?
		trace text?
		due_at time
		created_at time
		updated_at time`},
	"JobDetail": {of: "Job", lines: `
		jobs []Job Other jobs of the same subject.
		audit []Audit`},
	"Upload": {text: "An exported file that waits for its import.", lines: `
		id text
		company text
		connection text
		preset text By which it is read; empty for what the company's file says.
		sheet text Of a workbook with several.
		size int
		actor text
		created_at time
		expires_at time When it is deleted, imported or not.`},
	"Preset": {text: "What a company explained about its files.", lines: `
		company text
		name text
		encoding text?
		delimiter text?
		header int?
		columns texts? Header: what it is.
		outcomes texts? Label: rejected, withdrawn, hired, position_closed, ongoing or ignored.
		actor text
		updated_at time`},
	"Explanation": {closed: true, text: "What is said anew about a file; it is saved as a preset, and the file is read by it.", lines: `
		name text
		encoding text?
		delimiter text?
		header int?
		columns texts? An empty value takes one back.
		outcomes texts? An empty value takes one back.`},
	"FilePreview": {of: "Upload", text: "What an import would do. Nothing was kept.", lines: `
		vendor text
		encoding text
		delimiter text?
		header int
		columns texts
		unused []text
		counts counts Rows by verdict.
		labels []Label Labels that nobody understands yet.
		rows []Row The first ones of the verdict, or of all. Names and addresses are masked.`},
	"Label": {lines: `
		label text
		column text
		verdict text
		rows int`},
	"Row": {lines: `
		row int
		application_id text?
		name text?
		address text?
		verdict text
		reason text?
		column text?
		label text?`},
	"Import": {closed: true, lines: `
		reason text Kept in the audit log. Write nothing personal.
		include_old bool? Also take in decisions older than the company's max_age; their mails wait with a reason of their own.`},
	"Imported": {text: "What an import did. Its mails wait until they are released.", lines: `
		counts counts
		labels []Label
		batch text Empty when nothing was new.
		resumed bool
		saved int
		waiting int Mails that wait for their release.
		replay bool Rows of an earlier import are understood now: replay them.`},
	"Batch": {text: "One deed over many things.", lines: `
		id text
		verb text
		noun text
		filter text
		company text?
		actor text
		reason text
		state state:batches
		note text? Why it paused by itself.
		matched int
		changed int What was done, or handed to the workers.
		rate int?
		halt int?
		created_at time
		ended_at time?`},
	"Progress": {text: "How far a batch is.", lines: `
		waiting int Not looked at yet.
		skipped counts Left alone, by reason.
		jobs counts Handed over, by the state of their jobs.`},
	"Result": {text: "What became of one item of a batch.", lines: `
		id text
		company text?
		job text?
		subject text?
		state text waiting, skipped, cancelled, gone, or the state of its job.
		reason text?
		batch text? A later batch that ran the job once more.
		at time?`},
	"Grave": {text: "A group of dead jobs.", lines: `
		fault text Class of the error.
		vendor text
		kind text
		count int
		poison int Of them died again and again.
		first_at time
		last_at time
		error text Of one of them.`},
	"SecretUse": {text: "When a secret fitted, by its name in the company's file.", lines: `
		company text
		connection text
		secret text
		first_at time
		last_at time`},
	"Told": {lines: `
		state state:applications
		side text
		at time
		status text? The vendor's word.`},
	"Change": {text: "One event, before and after; a side that does not have it is left away.", lines: `
		application text The vendor's id.
		before Told?
		after Told?`},
	"Difference": {lines: `
		delivery text
		error text? Why today's rules cannot read it.
		asks bool A run asks the vendor for more, which may change it.
		changes []Change`},
	"BatchDetail": {of: "Batch", lines: `
		progress Progress
		jobs []Job The newest jobs of the batch.`},
	"Consent": {text: "One recorded yes.", lines: `
		id text
		company text
		person_id text
		registration text
		purpose text
		text_version text
		locale text
		text text? As the person saw it.
		how text
		given_at time
		confirmed_at time?
		withdrawn_at null`},
	"Referral": {text: "The hand-over of one consented profile to one recipient.", lines: `
		id text
		company text
		recipient text
		person_id text
		registration text
		state state:referrals
		reference text?
		reason text?
		fields []text? Names of what was provided.
		twin text? The hand-over of the same person to the same recipient that stands for this one.
		consent text? On which it was provided.
		provider Party?
		receiver Party?
		told_at time? When the recipient was told that it was taken back.
		created_at time
		updated_at time`},
	"Party": {text: "One side of a hand-over, as it was told to the other.", lines: `
		name text
		address text
		representative text?
		licence text? Of a recipient.`},
	"ReferralDetail": {of: "Referral", lines: `
		jobs []Job
		audit []Audit`},
	"Credit": {text: "One entry of a company's ledger.", lines: `
		id text
		company text
		kind text
		person_id text
		referral text?
		amount int
		policy text
		at time`},
	"Slot": {text: "One free introduction that a company earned.", lines: `
		id text
		company text
		state text
		policy text
		earned_at time`},
	"Account": {text: "A company's ledger in sum.", lines: `
		company text
		net int
		ratio int
		to_next int
		slots []Slot
		entries []Credit Empty in the list of all companies.`},
	"Audit": {text: "Who did what to what, why and when; each entry carries the hash of the one before.", lines: `
		seq int
		actor text
		verb text
		noun text
		subject text
		company text?
		reason text?
		detail text?
		at time
		hash text`},
	"Brake": {text: "A stop that needs a person, or a repair.", lines: `
		id text
		company text
		kind text
		cause text
		opened_at time
		probe_at time?
		asked_by text? Who vouched for the release that a second person must give.
		asked_at time?
		asked_for text?
		resolved_at time?`},
	"BrakeRelease": {closed: true, lines: `
		company text
		kind text bounces or complaints; other brakes go off when their cause is gone.
		reason text Kept in the audit log. Write nothing personal.`},
	"Alert": {text: "Something that a person was told of, once until it is over. Nothing in it is about a candidate.", lines: `
		id text
		company text Empty for the whole service.
		kind text
		subject text A connection, a queue, a host or a recipient; empty when the kind says all.
		count int?
		stage int? How near an end is, the larger the nearer.
		since time? Since when, as far as it is known.
		ends_at time? When a certificate or a licence ends.
		seen_at time
		opened_at time?
		told_at time?
		muted_until time?
		resolved_at time?
		state state:alerts
		text text
		advice text What to do.
		runbook text Where that is explained.`},
	"CompanyStatus": {text: "Which file of a company is in force, and what is wrong with a newer one.", lines: `
		company text
		file text
		hash text
		applied_at time
		generation int The number of the change that put it into force, over all files since the process began.
		changes []SettingChange? Of the last time.
		errors []text Each with file and line.`},
	"SettingChange": {text: "One setting that the last change of a file changed. Secrets are not shown.", lines: `
		key text Empty when what changed is not shown.
		before text Empty when the setting was not there.
		after text Empty when it is gone.`},
	"User": {text: "An account of the console.", lines: `
		id text
		name text
		role text
		company text? Of a recruiter.
		provider text? Issuer of an account that signs in there.
		second_factor bool
		recovery_codes int Unused ones.
		created_at time
		login_at time?
		disabled bool`},
	"Session": {text: "Somebody signed in to the console.", lines: `
		id text
		user text
		agent text
		created_at time
		seen_at time
		expires_at time
		current bool`},
	"Token": {text: "What lets a program use the API in the name of a user.", lines: `
		id text
		user text
		name text
		role text
		company text? The only one that it sees.
		scopes text With blanks between.
		created_at time
		expires_at time?
		used_on text? The last day, in UTC.
		revoked_at time?`},
	"TokenOrder": {closed: true, lines: `
		user text
		name text What it is for.
		role text? At most the user's, which is the default.
		company text? The only one that it shall see.
		scopes text? read, write, reveal, admin; default: what the role allows.
		expires_at time?`},
	"NewToken": {lines: `
		token text Shown this once.`},
	"Verification": {lines: `
		entries int That follow from one another.
		anchor text The end of the log, to be kept elsewhere.`},
}
