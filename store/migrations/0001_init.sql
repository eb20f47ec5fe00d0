-- Times are microseconds since 1970 in UTC. BYTES is BLOB or BYTEA, and TEXT
-- sorts by its bytes in both databases. A statement after --pg is for PostgreSQL
-- only, and WITHOUT ROWID for SQLite. Sealed columns come last, so that the
-- others can be read without them.

CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value BYTES NOT NULL
);

-- How long is kept what a company's file said last, for when there is no file
-- any more; 0 for never said. And how many of the released mails
-- have a place in the last minute that has any.
CREATE TABLE companies (
	id              TEXT PRIMARY KEY,
	wrapped_key     BYTES NOT NULL,
	created_at      BIGINT NOT NULL,
	keep_candidates BIGINT NOT NULL DEFAULT 0,
	keep_mails      BIGINT NOT NULL DEFAULT 0,
	paced_minute    BIGINT NOT NULL DEFAULT 0,
	paced           BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE people (
	id          TEXT PRIMARY KEY,
	company     TEXT NOT NULL,
	person_ref  BYTES,
	name_index  BYTES,
	wrapped_key BYTES,
	created_at  BIGINT NOT NULL,
	erased_at   BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX people_ref ON people (person_ref, company);
CREATE INDEX people_name ON people (name_index);

CREATE TABLE deliveries (
	id          TEXT PRIMARY KEY,
	company     TEXT NOT NULL,
	connection  TEXT NOT NULL,
	vendor      TEXT NOT NULL,
	door        TEXT NOT NULL,
	dedupe_key  BYTES NOT NULL,
	size        BIGINT NOT NULL,
	disposition TEXT NOT NULL,
	reason      TEXT NOT NULL DEFAULT '',
	repeats     BIGINT NOT NULL DEFAULT 0,
	secret      TEXT NOT NULL DEFAULT '',
	received_at BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL,
	payload     BYTES NOT NULL
);
--pg ALTER TABLE deliveries ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX deliveries_key ON deliveries (dedupe_key);
CREATE INDEX deliveries_company ON deliveries (company, id);
CREATE INDEX deliveries_disposition ON deliveries (disposition, id);
CREATE INDEX deliveries_expiry ON deliveries (company, expires_at) WHERE disposition <> 'new';

CREATE TABLE applications (
	id             TEXT PRIMARY KEY,
	company        TEXT NOT NULL,
	connection     TEXT NOT NULL,
	vendor         TEXT NOT NULL,
	application_id TEXT NOT NULL,
	candidate_id   TEXT NOT NULL,
	person_id      TEXT NOT NULL,
	state          TEXT NOT NULL,
	side           TEXT NOT NULL,
	evidence       TEXT NOT NULL,
	job_id         TEXT NOT NULL,
	job_title      TEXT NOT NULL,
	department     TEXT NOT NULL,
	stage          TEXT NOT NULL,
	stage_kind     TEXT NOT NULL,
	source         TEXT NOT NULL,
	locale         TEXT NOT NULL,
	decision       TEXT NOT NULL,
	state_at       BIGINT NOT NULL,
	created_at     BIGINT NOT NULL,
	updated_at     BIGINT NOT NULL,
	sealed         BYTES
);
CREATE UNIQUE INDEX applications_key ON applications (application_id, connection, company);
CREATE INDEX applications_candidate ON applications (candidate_id, connection, company);
CREATE INDEX applications_person ON applications (person_id);
CREATE INDEX applications_company ON applications (company, id);
CREATE INDEX applications_state ON applications (state, id);
CREATE INDEX applications_sealed ON applications (company, updated_at) WHERE sealed IS NOT NULL;

CREATE TABLE events (
	id          TEXT PRIMARY KEY,
	delivery    TEXT NOT NULL,
	company     TEXT NOT NULL,
	application TEXT NOT NULL,
	state       TEXT NOT NULL,
	side        TEXT NOT NULL,
	evidence    TEXT NOT NULL,
	clock       TEXT NOT NULL,
	status      TEXT NOT NULL,
	reason      TEXT NOT NULL,
	stale       BIGINT NOT NULL,
	action      TEXT NOT NULL,
	code        TEXT NOT NULL,
	checks      TEXT NOT NULL,
	effect_key  TEXT NOT NULL,
	occurred_at BIGINT NOT NULL,
	created_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX events_effect ON events (effect_key);
CREATE INDEX events_application ON events (application, id);
CREATE INDEX events_delivery ON events (delivery);

CREATE TABLE mails (
	id           TEXT PRIMARY KEY,
	company      TEXT NOT NULL,
	application  TEXT NOT NULL,
	person_id    TEXT NOT NULL,
	purpose      TEXT NOT NULL,
	state        TEXT NOT NULL,
	stopped      BIGINT NOT NULL DEFAULT 0,
	released     BIGINT NOT NULL DEFAULT 0,
	final        BIGINT NOT NULL DEFAULT 0,
	urgent       BIGINT NOT NULL DEFAULT 0,
	reason       TEXT NOT NULL DEFAULT '',
	template     TEXT NOT NULL,
	version      TEXT NOT NULL,
	locale       TEXT NOT NULL,
	hash         TEXT NOT NULL,
	address_ref  BYTES,
	send_id      TEXT NOT NULL,
	transport    TEXT NOT NULL DEFAULT '',
	provider_id  TEXT NOT NULL DEFAULT '',
	delivery     TEXT NOT NULL DEFAULT '',
	attempts     BIGINT NOT NULL DEFAULT 0,
	due_at       BIGINT NOT NULL,
	decided_at   BIGINT NOT NULL,
	sent_at      BIGINT NOT NULL DEFAULT 0,
	created_at   BIGINT NOT NULL,
	updated_at   BIGINT NOT NULL,
	sealed       BYTES
);
CREATE UNIQUE INDEX mails_once ON mails (application, purpose, company);
CREATE UNIQUE INDEX mails_send ON mails (send_id);
CREATE INDEX mails_company ON mails (company, id);
CREATE INDEX mails_state ON mails (state, id);
CREATE INDEX mails_due ON mails (state, due_at, id);
CREATE INDEX mails_stopped ON mails (company, reason) WHERE stopped = 1;
CREATE INDEX mails_planned ON mails (company, purpose, created_at);
CREATE INDEX mails_sealed ON mails (company, created_at) WHERE sealed IS NOT NULL;
CREATE INDEX mails_person ON mails (person_id);
CREATE INDEX mails_provider ON mails (provider_id) WHERE provider_id <> '';
CREATE INDEX mails_address ON mails (address_ref);

CREATE TABLE mail_attempts (
	mail       TEXT NOT NULL,
	number     BIGINT NOT NULL,
	outcome    TEXT NOT NULL,
	detail     TEXT NOT NULL DEFAULT '',
	started_at BIGINT NOT NULL,
	ended_at   BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (mail, number)
);

CREATE TABLE mail_events (
	company  TEXT NOT NULL,
	event_id TEXT NOT NULL,
	mail     TEXT NOT NULL,
	kind     TEXT NOT NULL,
	detail   TEXT NOT NULL,
	at       BIGINT NOT NULL,
	PRIMARY KEY (company, event_id)
);
CREATE INDEX mail_events_mail ON mail_events (mail, at);

CREATE TABLE suppressions (
	company     TEXT NOT NULL,
	address_ref BYTES NOT NULL,
	scope       TEXT NOT NULL,
	cause       TEXT NOT NULL,
	at          BIGINT NOT NULL,
	PRIMARY KEY (company, address_ref, scope)
);

CREATE TABLE links (
	hash         BYTES PRIMARY KEY,
	kind         TEXT NOT NULL,
	company      TEXT NOT NULL,
	application  TEXT NOT NULL,
	person_id    TEXT NOT NULL,
	registration TEXT NOT NULL,
	locale       TEXT NOT NULL,
	created_at   BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL,
	revoked_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX links_person ON links (person_id);
CREATE INDEX links_application ON links (application);

CREATE TABLE registrations (
	id           TEXT PRIMARY KEY,
	company      TEXT NOT NULL,
	application  TEXT NOT NULL,
	person_id    TEXT NOT NULL,
	state        TEXT NOT NULL,
	locale       TEXT NOT NULL,
	created_at   BIGINT NOT NULL,
	confirmed_at BIGINT NOT NULL DEFAULT 0,
	expires_at   BIGINT NOT NULL,
	sealed       BYTES
);
CREATE INDEX registrations_person ON registrations (person_id);
CREATE INDEX registrations_application ON registrations (application);
CREATE INDEX registrations_state ON registrations (state, expires_at);

CREATE TABLE consent_texts (
	purpose    TEXT NOT NULL,
	version    TEXT NOT NULL,
	locale     TEXT NOT NULL,
	hash       TEXT NOT NULL,
	body       TEXT NOT NULL,
	first_seen BIGINT NOT NULL,
	PRIMARY KEY (purpose, version, locale, hash)
);

CREATE TABLE consents (
	id           TEXT PRIMARY KEY,
	company      TEXT NOT NULL,
	person_id    TEXT NOT NULL,
	registration TEXT NOT NULL,
	purpose      TEXT NOT NULL,
	text_version TEXT NOT NULL,
	text_hash    TEXT NOT NULL,
	locale       TEXT NOT NULL,
	how          TEXT NOT NULL,
	given_at     BIGINT NOT NULL,
	confirmed_at BIGINT NOT NULL DEFAULT 0,
	withdrawn_at BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX consents_once ON consents (registration, purpose);
CREATE INDEX consents_person ON consents (person_id);
CREATE INDEX consents_company ON consents (company, id);

CREATE TABLE referrals (
	id           TEXT PRIMARY KEY,
	company      TEXT NOT NULL,
	recipient    TEXT NOT NULL,
	person_id    TEXT NOT NULL,
	registration TEXT NOT NULL,
	state        TEXT NOT NULL,
	reference    TEXT NOT NULL DEFAULT '',
	reason       TEXT NOT NULL DEFAULT '',
	twin         TEXT NOT NULL DEFAULT '',
	told_at      BIGINT NOT NULL DEFAULT 0,
	created_at   BIGINT NOT NULL,
	updated_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX referrals_once ON referrals (registration, recipient);
CREATE INDEX referrals_company ON referrals (company, id);
CREATE INDEX referrals_state ON referrals (state, id);
CREATE INDEX referrals_person ON referrals (person_id);

CREATE TABLE provisions (
	id        TEXT PRIMARY KEY,
	referral  TEXT NOT NULL,
	recipient TEXT NOT NULL,
	fields    TEXT NOT NULL,
	consent   TEXT NOT NULL,
	parties   TEXT NOT NULL,
	at        BIGINT NOT NULL
);
CREATE INDEX provisions_referral ON provisions (referral);

CREATE TABLE policies (
	company TEXT NOT NULL,
	version TEXT NOT NULL,
	body    TEXT NOT NULL,
	since   BIGINT NOT NULL,
	PRIMARY KEY (company, version)
);

CREATE TABLE credits (
	id           TEXT PRIMARY KEY,
	company      TEXT NOT NULL,
	kind         TEXT NOT NULL,
	person_id    TEXT NOT NULL,
	registration TEXT NOT NULL,
	amount       BIGINT NOT NULL,
	policy       TEXT NOT NULL,
	at           BIGINT NOT NULL
);
CREATE UNIQUE INDEX credits_once ON credits (company, registration, kind);
CREATE INDEX credits_company ON credits (company, id);

CREATE TABLE slots (
	id         TEXT PRIMARY KEY,
	company    TEXT NOT NULL,
	state      TEXT NOT NULL,
	policy     TEXT NOT NULL,
	earned_at  BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE INDEX slots_company ON slots (company, id);

-- A subject has at most one job that is not over: the last column of
-- jobs_subject is NULL, and so never equal, for those that are.
CREATE TABLE jobs (
	id            TEXT PRIMARY KEY,
	company       TEXT NOT NULL,
	kind          TEXT NOT NULL,
	queue         TEXT NOT NULL,
	subject       TEXT NOT NULL,
	state         TEXT NOT NULL,
	seq           BIGINT NOT NULL DEFAULT 0,
	attempts      BIGINT NOT NULL DEFAULT 0,
	starts        BIGINT NOT NULL DEFAULT 0,
	due_at        BIGINT NOT NULL,
	lease_until   BIGINT NOT NULL DEFAULT 0,
	dispatched_at BIGINT NOT NULL DEFAULT 0,
	error         TEXT NOT NULL DEFAULT '',
	fault         TEXT NOT NULL DEFAULT '',
	deaths        BIGINT NOT NULL DEFAULT 0,
	vendor        TEXT NOT NULL DEFAULT '',
	replay_of     TEXT NOT NULL DEFAULT '',
	batch         TEXT NOT NULL DEFAULT '',
	trace         TEXT NOT NULL DEFAULT '',
	created_at    BIGINT NOT NULL,
	updated_at    BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX jobs_subject ON jobs (subject, (CASE WHEN state IN ('waiting', 'dispatched', 'running') THEN 1 END));
CREATE INDEX jobs_due ON jobs (queue, company, due_at) WHERE state = 'waiting';
CREATE INDEX jobs_next ON jobs (due_at) WHERE state = 'waiting';
CREATE INDEX jobs_state ON jobs (state, id);
CREATE INDEX jobs_dead ON jobs (company, id) WHERE state = 'dead';
CREATE INDEX jobs_company ON jobs (company, id);
CREATE INDEX jobs_batch ON jobs (batch, id) WHERE batch <> '';
CREATE INDEX jobs_progress ON jobs (batch, state) WHERE batch <> '';
CREATE INDEX jobs_graves ON jobs (fault, vendor, kind, company, updated_at, deaths) WHERE state = 'dead';

-- A batch of re-runs first collects its items up to the id last, then hands them
-- over. While it is not over, same is the hash of what it does; sealed holds an
-- address of its filter until the items are collected.
CREATE TABLE batches (
	id         TEXT PRIMARY KEY,
	verb       TEXT NOT NULL,
	noun       TEXT NOT NULL,
	filter     TEXT NOT NULL,
	company    TEXT NOT NULL,
	actor      TEXT NOT NULL,
	reason     TEXT NOT NULL,
	state      TEXT NOT NULL,
	note       TEXT NOT NULL DEFAULT '',
	matched    BIGINT NOT NULL,
	changed    BIGINT NOT NULL,
	rate       BIGINT NOT NULL DEFAULT 0,
	halt       BIGINT NOT NULL DEFAULT 0,
	failed     BIGINT NOT NULL DEFAULT 0,
	collected  BIGINT NOT NULL DEFAULT 1,
	place      TEXT NOT NULL DEFAULT '',
	last       TEXT NOT NULL DEFAULT '',
	paced      BIGINT NOT NULL DEFAULT 0,
	paced_at   BIGINT NOT NULL DEFAULT 0,
	same       BYTES,
	created_at BIGINT NOT NULL,
	ended_at   BIGINT NOT NULL DEFAULT 0,
	sealed     BYTES
);
CREATE UNIQUE INDEX batches_same ON batches (same);
CREATE INDEX batches_open ON batches (state) WHERE state = 'running';

CREATE TABLE batch_items (
	batch  TEXT NOT NULL,
	id     TEXT NOT NULL,
	state  TEXT NOT NULL,
	reason TEXT NOT NULL DEFAULT '',
	at     BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (batch, id)
) WITHOUT ROWID;
CREATE INDEX batch_items_state ON batch_items (batch, state, reason, id);

-- When each of a connection's secrets fitted, by its name in the company's file.
CREATE TABLE secret_uses (
	company    TEXT NOT NULL,
	connection TEXT NOT NULL,
	secret     TEXT NOT NULL,
	first_at   BIGINT NOT NULL,
	last_at    BIGINT NOT NULL,
	PRIMARY KEY (company, connection, secret)
);

CREATE TABLE cursors (
	company    TEXT NOT NULL,
	connection TEXT NOT NULL,
	cursor     TEXT NOT NULL,
	seen       BYTES,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (company, connection)
);

-- Where the OAuth grants of connections stand, encrypted; the version decides
-- who renews.
CREATE TABLE grants (
	company     TEXT NOT NULL,
	connection  TEXT NOT NULL,
	version     BIGINT NOT NULL,
	sealed      BYTES,
	lease_until BIGINT NOT NULL DEFAULT 0,
	updated_at  BIGINT NOT NULL,
	PRIMARY KEY (company, connection)
);

-- Webhooks that the vendor ends unless they are renewed.
CREATE TABLE subscriptions (
	company    TEXT NOT NULL,
	connection TEXT NOT NULL,
	vendor     TEXT NOT NULL,
	id         TEXT NOT NULL,
	ends_at    BIGINT NOT NULL,
	renewed_at BIGINT NOT NULL,
	due_at     BIGINT NOT NULL,
	failures   BIGINT NOT NULL DEFAULT 0,
	error      TEXT NOT NULL DEFAULT '',
	alarmed    BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (company, connection)
);

CREATE TABLE audit (
	seq     BIGINT PRIMARY KEY,
	at      BIGINT NOT NULL,
	actor   TEXT NOT NULL,
	verb    TEXT NOT NULL,
	noun    TEXT NOT NULL,
	subject TEXT NOT NULL,
	company TEXT NOT NULL,
	reason  TEXT NOT NULL,
	detail  TEXT NOT NULL,
	hash    TEXT NOT NULL
);
CREATE INDEX audit_subject ON audit (subject, seq);
CREATE INDEX audit_company ON audit (company, seq);
CREATE INDEX audit_actor ON audit (actor, seq);

CREATE TABLE users (
	id          TEXT PRIMARY KEY,
	name        TEXT NOT NULL,
	role        TEXT NOT NULL,
	company     TEXT NOT NULL DEFAULT '',
	issuer      TEXT NOT NULL DEFAULT '',
	subject     TEXT NOT NULL DEFAULT '',
	password    TEXT NOT NULL,
	code_step   BIGINT NOT NULL DEFAULT 0,
	created_at  BIGINT NOT NULL,
	login_at    BIGINT NOT NULL DEFAULT 0,
	disabled_at BIGINT NOT NULL DEFAULT 0,
	factor      BYTES
);
CREATE UNIQUE INDEX users_name ON users (name);
CREATE UNIQUE INDEX users_subject ON users (issuer, subject) WHERE subject <> '';

CREATE TABLE recovery_codes (
	hash    BYTES PRIMARY KEY,
	user_id TEXT NOT NULL
);
CREATE INDEX recovery_codes_user ON recovery_codes (user_id);

CREATE TABLE tokens (
	id         TEXT PRIMARY KEY,
	user_id    TEXT NOT NULL,
	name       TEXT NOT NULL,
	hash       BYTES NOT NULL,
	role       TEXT NOT NULL,
	company    TEXT NOT NULL DEFAULT '',
	scopes     TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL DEFAULT 0,
	used_on    TEXT NOT NULL DEFAULT '',
	revoked_at BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX tokens_hash ON tokens (hash);

CREATE TABLE sessions (
	id         TEXT PRIMARY KEY,
	hash       BYTES NOT NULL,
	user_id    TEXT NOT NULL,
	step       TEXT NOT NULL,
	tries      BIGINT NOT NULL DEFAULT 0,
	agent      TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	seen_at    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX sessions_hash ON sessions (hash);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE brakes (
	id          TEXT PRIMARY KEY,
	company     TEXT NOT NULL,
	kind        TEXT NOT NULL,
	cause       TEXT NOT NULL,
	opened_at   BIGINT NOT NULL,
	probe_at    BIGINT NOT NULL,
	asked_by    TEXT NOT NULL DEFAULT '',
	asked_at    BIGINT NOT NULL DEFAULT 0,
	asked_for   TEXT NOT NULL DEFAULT '',
	resolved_at BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX brakes_open ON brakes (company, kind) WHERE resolved_at = 0;

CREATE TABLE leases (
	name       TEXT NOT NULL,
	tick       BIGINT NOT NULL,
	owner      TEXT NOT NULL,
	PRIMARY KEY (name, tick)
);

CREATE TABLE uploads (
	id         TEXT PRIMARY KEY,
	company    TEXT NOT NULL,
	connection TEXT NOT NULL,
	preset     TEXT NOT NULL,
	sheet      TEXT NOT NULL,
	size       BIGINT NOT NULL,
	actor      TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	content    BYTES NOT NULL
);
--pg ALTER TABLE uploads ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX uploads_company ON uploads (company, id);

CREATE TABLE presets (
	company TEXT NOT NULL,
	name    TEXT NOT NULL,
	preset  TEXT NOT NULL,
	PRIMARY KEY (company, name)
);

-- Of what an alert is about there is one row that is not resolved. The subject
-- is a connection, a queue, a host or a recipient; nothing here is about a
-- candidate. opened_at is 0 while the cause may still pass by itself.
CREATE TABLE alerts (
	id          TEXT PRIMARY KEY,
	company     TEXT NOT NULL,
	kind        TEXT NOT NULL,
	subject     TEXT NOT NULL,
	amount      BIGINT NOT NULL,
	stage       BIGINT NOT NULL,
	since       BIGINT NOT NULL,
	ends_at     BIGINT NOT NULL,
	seen_at     BIGINT NOT NULL,
	opened_at   BIGINT NOT NULL,
	gone_at     BIGINT NOT NULL,
	told_at     BIGINT NOT NULL,
	told_stage  BIGINT NOT NULL,
	muted_until BIGINT NOT NULL DEFAULT 0,
	resolved_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX alerts_open ON alerts (company, kind, subject) WHERE resolved_at = 0;

-- One word about an alert on its way through one channel.
CREATE TABLE notices (
	id         TEXT PRIMARY KEY,
	alert      TEXT NOT NULL,
	word       TEXT NOT NULL,
	channel    TEXT NOT NULL,
	body       TEXT NOT NULL,
	created_at BIGINT NOT NULL
);

-- When news came last, which outlives the deliveries. The row without a company
-- is when that was last looked up.
CREATE TABLE heard (
	company    TEXT NOT NULL,
	connection TEXT NOT NULL,
	at         BIGINT NOT NULL,
	PRIMARY KEY (company, connection)
);
