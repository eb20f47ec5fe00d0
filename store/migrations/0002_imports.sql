-- The import that planned a mail, '' for none. A person releases these mails
-- together, so they do not count as the company's usual volume, and neither do
-- those of a connection's past. The condition is that of volume.go.
ALTER TABLE mails ADD COLUMN batch TEXT NOT NULL DEFAULT '';
CREATE INDEX mails_batch ON mails (batch, id) WHERE batch <> '';
CREATE INDEX mails_usual ON mails (company, purpose, created_at) WHERE batch = '' AND NOT (stopped = 1 AND reason = 'cold');
DROP INDEX mails_planned;
