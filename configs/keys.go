package configs

import "github.com/career-relay/connector/rules/access"

// companyFile is everything that may stand in a company's file.
var companyFile = &shape{
	about: "One client company of Career Relay.",
	fields: []field{
		{key: "company", required: true, shape: shape{kind: ident, about: "The company's id; the same as the file's name without .yaml."}},
		{key: "name", required: true, shape: names("The company's name as candidates know it.")},
		{key: "locale", preset: "ja", shape: shape{words: []string{"ja", "en"}, about: "The language of candidates of whom it is not known."}},
		{key: "time_zone", preset: "Asia/Tokyo", shape: shape{kind: zone, about: "The time zone of the sending hours."}},
		{key: "connections", shape: shape{each: connectionKeys, about: "The company's accounts at vendors, by the name in /hooks/COMPANY/NAME."}},
		{key: "mail", required: true, shape: shape{fields: mailKeys, about: "Who writes, and how the mails leave."}},
		{key: "sending", shape: shape{fields: sendingKeys, about: "Whether and when the mails leave."}},
		{key: "relay", shape: shape{fields: relayKeys, about: "How the company takes part in Career Relay."}},
		{key: "survey", shape: shape{about: "Whether people are asked how it was.", fields: []field{
			{key: "enabled", preset: "false", shape: shape{kind: truth}},
			{key: "after", preset: "0", shape: shape{kind: duration, about: "How long after the mail."}},
		}}},
		{key: "retention", shape: shape{about: "How long things are kept.", fields: []field{
			{key: "deliveries", preset: "30d", shape: shape{kind: duration, about: "What the vendor sent, word for word."}},
			{key: "candidates", preset: "180d", shape: shape{kind: duration, about: "Candidates who did not join the relay, from the decision on."}},
			{key: "mails", preset: "365d", shape: shape{kind: duration, about: "The mails, word for word."}},
		}}},
		{key: "alerts", shape: shape{about: "Who is told when a person must look.", fields: []field{
			{key: "to", required: true, shape: shape{kind: email}},
			{key: "slack", shape: shape{kind: secret, about: "The address of an incoming webhook of Slack, or of another service that takes the same."}},
		}}},
	},
}

func names(about string) shape {
	return shape{about: about, fields: []field{
		{key: "ja", shape: shape{kind: oneLine}},
		{key: "en", shape: shape{kind: oneLine}},
	}}
}

// connectionKeys are the keys that connections have in common. The others are
// the vendor's, which reads them through Connection.Decode.
var connectionKeys = &shape{open: true, fields: []field{
	{key: "vendor", required: true, shape: shape{kind: ident, about: "The vendor; see careerrelay vendor list."}},
	{key: "connector", shape: shape{kind: folder, about: "A folder with a connector.yaml of the company's own, beside this file; its vendor is the one above."}},
	{key: "secrets", shape: shape{list: oneSecret, about: "What the vendor signs with; several while one takes over from the other."}},
	{key: "api_key", shape: *oneSecret},
	{key: "client_secret", shape: *oneSecret},
	{key: "refresh_token", shape: *oneSecret},
	{key: "token", shape: *oneSecret},
	{key: "password", shape: *oneSecret},
	{key: "signing_key", shape: *oneSecret},
	{key: "poll", shape: shape{about: "For vendors that are asked for news.", fields: []field{
		{key: "every", preset: "15m", shape: shape{kind: duration, about: "How often."}},
	}}},
	{key: "events", shape: shape{about: "The company's own rules, tried before the vendor's; the first that applies wins.", list: &shape{fields: []field{
		{key: "when", required: true, shape: shape{kind: prose, about: "When the rule applies, in jq."}},
		{key: "ignore", shape: shape{kind: truth, about: "The payload is known and means nothing."}},
		{key: "park", shape: shape{kind: prose, about: "Why a person must look: the payload is known, but not to be decided."}},
		{key: "state", shape: shape{kind: oneLine, about: "What has become of the application."}},
		{key: "side", shape: shape{kind: oneLine, about: "Who ended it."}},
		{key: "map", shape: shape{each: &shape{kind: prose}, about: "Where single fields are for this rule, in jq."}},
	}}}},
	{key: "map", shape: shape{each: &shape{kind: prose}, about: "Where single fields are, in place of the vendor's, in jq."}},
	{key: "table", shape: shape{about: "What is known of files that are imported; see careerrelay vendor show csv.", fields: []field{
		{key: "encoding", shape: shape{words: []string{"utf-8", "cp932", "utf-16le", "utf-16be"}, about: "Default: found out."}},
		{key: "delimiter", shape: shape{words: []string{"comma", "tab", "semicolon", "pipe"}, about: "Default: found out."}},
		{key: "header", shape: shape{kind: count, about: "The row of the header. Default: found out."}},
		{key: "sheet", shape: shape{kind: oneLine, about: "The sheet of a workbook with several."}},
		{key: "columns", shape: shape{about: "The headers of a column in place of the common ones.", each: &shape{either: []*shape{{kind: oneLine}, {list: &shape{kind: oneLine}}}}}},
		{key: "keep", shape: shape{list: &shape{kind: oneLine}, about: "Headers of further columns, for the company's own rules."}},
		{key: "outcomes", shape: shape{about: "What the labels of results mean.", each: &shape{
			words: []string{"rejected", "withdrawn", "hired", "position_closed", "ongoing", "ignored"},
		}}},
	}}},
	{key: "quarantine", preset: "72h", shape: shape{kind: duration, about: "How long deliveries with a bad signature are kept; 0 refuses them unkept."}},
	{key: "paused", preset: "false", shape: shape{kind: truth, about: "Take deliveries, but do not work on them."}},
	{key: "silence", preset: "10", shape: shape{kind: days, about: "Business days without news after which somebody is told; 0 for never. A connection that never had any is not missed."}},
}}

// secretKeys are the keys of a connection that hold secrets, at any depth.
var secretKeys = []string{"secrets", "api_key", "client_secret", "refresh_token", "token", "password", "signing_key"}

var oneSecret = &shape{either: []*shape{
	{kind: secret},
	{fields: []field{
		{key: "value", required: true, shape: shape{kind: secret}},
		{key: "from", shape: shape{kind: date, about: "The first day, in UTC."}},
		{key: "until", shape: shape{kind: date, about: "The last day, in UTC."}},
		{key: "for", shape: shape{kind: oneLine, about: "The kind of delivery it belongs to, at a vendor with a secret for each kind."}},
	}},
}}

// anySecret is what stands below a secret key that only the vendor knows.
var anySecret = &shape{either: append([]*shape{{list: oneSecret}}, oneSecret.either...)}

var mailKeys = []field{
	{key: "transport", shape: shape{
		words: []string{"mailbox", "sendgrid"}, later: []string{"smtp"},
		about: "mailbox shows what would have been sent. Default: sendgrid when there is a key, mailbox otherwise.",
	}},
	{key: "api_key", shape: shape{kind: secret, about: "SendGrid's key. Default: the environment variable SENDGRID_API_KEY."}},
	{key: "event_key", shape: shape{kind: oneLine, about: "The public key with which SendGrid signs its event webhook."}},
	{key: "from", required: true, shape: shape{about: "Whom the mails come from.", fields: []field{
		{key: "address", required: true, shape: shape{kind: email}},
		{key: "name", shape: shape{kind: oneLine}},
	}}},
	{key: "reply_to", shape: shape{kind: email, about: "Where answers go. Default: from.address."}},
	{key: "sender", required: true, shape: shape{about: "Who writes, as the law wants it in the footer.", fields: []field{
		{key: "name", required: true, shape: shape{kind: oneLine}},
		{key: "address", required: true, shape: shape{kind: oneLine, about: "The postal address."}},
		{key: "contact", required: true, shape: shape{kind: oneLine, about: "A mail address, a telephone number or an https page."}},
	}}},
	{key: "documents", shape: shape{about: "What becomes of the documents that candidates sent in, in a whole sentence.", fields: []field{
		{key: "ja", shape: shape{kind: oneLine}},
		{key: "en", shape: shape{kind: oneLine}},
	}}},
	{key: "templates", shape: shape{kind: folder, about: "A folder of the company's own letters, beside this file."}},
}

var sendingKeys = []field{
	{key: "mode", preset: "dry_run", shape: shape{words: []string{"live", "dry_run", "link_only"}, about: "dry_run does everything but the sending; link_only supplies the link for a mail that the ATS sends."}},
	{key: "purposes", preset: "[thank_you]", shape: shape{list: &shape{words: []string{"thank_you"}}, about: "Which mails are sent at all."}},
	{key: "delay", preset: "24h", shape: shape{kind: duration, about: "How long after the decision at the earliest."}},
	{key: "window", preset: `{days: mon-fri, from: "10:00", to: "17:00"}`, shape: shape{about: "The hours in which mails leave.", either: []*shape{
		{words: []string{"always"}},
		{fields: []field{
			{key: "days", preset: "mon-fri", shape: shape{either: []*shape{{kind: oneLine}, {list: &shape{words: []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}}}}}},
			{key: "from", preset: `"10:00"`, shape: shape{kind: hour}},
			{key: "to", preset: `"17:00"`, shape: shape{kind: hour}},
		}},
	}}},
	{key: "holidays", preset: "jp", shape: shape{about: "The days on which nothing leaves.", either: []*shape{
		{words: []string{"jp", "none"}},
		{list: &shape{kind: date}},
		{fields: []field{
			{key: "calendar", preset: "jp", shape: shape{words: []string{"jp", "none"}}},
			{key: "also", shape: shape{list: &shape{kind: date}}},
		}},
	}}},
	{key: "max_age", preset: "30d", shape: shape{kind: duration, about: "Older decisions are not mailed unless a person releases them."}},
	{key: "brake", shape: shape{about: "Stop and ask a person above either.", fields: []field{
		{key: "batch", preset: "50", shape: shape{kind: count, about: "Mails planned within an hour."}},
		{key: "factor", preset: "3", shape: shape{kind: factor, about: "Times the busiest of the 28 days before."}},
	}}},
	{key: "per_minute", preset: "60", shape: shape{kind: count, about: "How many of the mails that a person released together leave within a minute."}},
	{key: "exclude", preset: "[{source: agent}, {type: internal}, {job: confidential}]", shape: shape{about: "Who is not written to.", list: &shape{fields: []field{
		{key: "source", shape: shape{words: []string{"agent"}}},
		{key: "type", shape: shape{words: []string{"internal"}}},
		{key: "job", shape: shape{words: []string{"confidential"}}},
	}}}},
	{key: "on_unknown_side", preset: "hold", shape: shape{words: []string{"hold", "send", "ignore"}, about: "When nobody can tell who ended the application."}},
}

var relayKeys = []field{
	{key: "mode", preset: "off", shape: shape{words: []string{"link", "off"}, later: []string{"handover"}, about: "link puts a personal link into the mail."}},
	{key: "policy", shape: shape{about: "How introductions are counted.", fields: []field{
		{key: "trigger", preset: "registered", shape: shape{words: []string{"registered", "handed_over"}, about: "The deed that counts."}},
		{key: "ratio", preset: "10", shape: shape{kind: count, about: "Introductions for one free introduction."}},
		{key: "dedupe", preset: "365d", shape: shape{kind: duration, about: "How long one person counts only once."}},
		{key: "reversal", preset: "keep", shape: shape{words: []string{"keep", "reverse_if_unspent"}, about: "What a withdrawal does to what was counted."}},
		{key: "promise", preset: "introduction", shape: shape{words: []string{"introduction", "meeting", "hire"}, about: "What a free introduction promises."}},
	}}},
	{key: "recipients", shape: shape{list: &shape{kind: ident}, about: "Who receives profiles, by the names in relay.yaml."}},
	{key: "provider", shape: shape{about: "Who the company is for those who receive profiles: the law has them keep it on record.", fields: []field{
		{key: "name", shape: shape{kind: oneLine, about: "The legal name. Default: mail.sender.name."}},
		{key: "address", shape: shape{kind: oneLine, about: "The registered address. Default: mail.sender.address."}},
		{key: "representative", shape: shape{kind: oneLine, about: "Who represents the company, with the title."}},
	}}},
}

// sharedFile is everything that may stand in relay.yaml.
var sharedFile = &shape{
	about: "What all companies share.",
	fields: []field{
		{key: "operator", required: true, shape: shape{about: "Who runs the service.", fields: []field{
			{key: "name", required: true, shape: names("The operator's name.")},
			{key: "contact", required: true, shape: shape{kind: oneLine}},
			{key: "address", required: true, shape: shape{kind: oneLine}},
			{key: "privacy", required: true, shape: shape{kind: website, about: "The privacy notice."}},
		}}},
		{key: "alerts", shape: shape{about: "Who is told about all companies and about the service itself.", fields: []field{
			{key: "to", shape: shape{kind: email}},
			{key: "from", shape: shape{kind: email, about: "Whom the service's own mails come from; they need SENDGRID_API_KEY."}},
			{key: "locale", preset: "ja", shape: shape{words: []string{"ja", "en"}}},
			{key: "slack", shape: shape{kind: secret, about: "The address of an incoming webhook of Slack, or of another service that takes the same."}},
			{key: "webhook", shape: shape{about: "A signed webhook in the form of Standard Webhooks.", fields: []field{
				{key: "url", required: true, shape: shape{kind: oneLine, about: "https, or http on this machine."}},
				{key: "secrets", required: true, shape: shape{list: &shape{kind: secret}, about: "What it is signed with; the first signs."}},
			}}},
			{key: "certificate", preset: "true", shape: shape{kind: truth, about: "Whether the certificate of PUBLIC_URL is looked at."}},
		}}},
		{key: "recipients", shape: shape{about: "Who receives profiles.", each: &shape{fields: []field{
			{key: "name", required: true, shape: names("The recipient's name.")},
			{key: "url", shape: shape{kind: oneLine, about: "Where profiles are handed over: https, or http on this machine."}},
			{key: "secrets", shape: shape{list: &shape{kind: secret}, about: "What hand-overs are signed with; the first signs."}},
			{key: "connection", shape: shape{kind: oneLine, about: "In place of url and secrets: the company/connection into whose ATS candidates are put."}},
			{key: "job", shape: shape{kind: oneLine, about: "With connection: the id of the job there; careerrelay vendor jobs lists them."}},
			{key: "licence", required: true, shape: shape{kind: oneLine, about: "The number of the recipient's licence or notification."}},
			{key: "licence_until", shape: shape{kind: date, about: "The licence's last day. After it nothing is handed over."}},
			{key: "address", required: true, shape: shape{kind: oneLine}},
			{key: "representative", required: true, shape: shape{kind: oneLine}},
			{key: "contact", required: true, shape: shape{kind: oneLine}},
		}}}},
		{key: "access", shape: shape{about: "Who signs in to the console, and how.", fields: []field{
			{key: "console", shape: shape{kind: oneLine, about: "The console's address as browsers see it."}},
			{key: "second_factor", shape: shape{list: &shape{words: roles()}, about: "Roles that must have a second factor beside the password."}},
			{key: "idle", preset: "2h", shape: shape{kind: duration, about: "A session ends when nothing was done for so long."}},
			{key: "session", preset: "12h", shape: shape{kind: duration, about: "A session ends after so long in any case."}},
			{key: "oidc_only", preset: "false", shape: shape{kind: truth, about: "Refuse passwords: everybody signs in through the provider."}},
			{key: "oidc", shape: shape{about: "An OpenID Connect provider.", fields: []field{
				{key: "issuer", required: true, shape: shape{kind: oneLine, about: "Exactly as the provider writes it."}},
				{key: "client_id", required: true, shape: shape{kind: oneLine}},
				{key: "client_secret", shape: shape{kind: secret}},
				{key: "scopes", shape: shape{list: &shape{kind: oneLine}, about: "Beside openid and email."}},
				{key: "groups_claim", preset: "groups", shape: shape{kind: oneLine, about: "The claim that holds the groups."}},
				{key: "domains", shape: shape{list: &shape{kind: oneLine}, about: "Domains of addresses that are let in; none lets all in."}},
				{key: "grants", required: true, shape: shape{about: "Who has which role; the first that fits counts.", list: &shape{fields: []field{
					{key: "email", shape: shape{kind: email}},
					{key: "domain", shape: shape{kind: oneLine}},
					{key: "group", shape: shape{kind: oneLine}},
					{key: "role", required: true, shape: shape{words: roles()}},
					{key: "company", shape: shape{kind: ident, about: "Of a recruiter."}},
				}}}},
			}}},
		}}},
	},
}

func roles() []string {
	var out []string
	for _, r := range access.Roles {
		out = append(out, string(r))
	}
	return out
}

// textFile is everything that may stand in a file of texts/.
var textFile = &shape{fields: []field{
	{key: "purpose", required: true, shape: shape{words: purposes()}},
	{key: "version", required: true, shape: shape{kind: oneLine}},
	{key: "ja", required: true, shape: shape{kind: prose}},
	{key: "en", required: true, shape: shape{kind: prose}},
}}
