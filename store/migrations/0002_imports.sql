-- The import that planned a mail, '' for none. A person releases these mails
-- together, so they do not count as the company's usual volume.
ALTER TABLE mails ADD COLUMN batch TEXT NOT NULL DEFAULT '';
CREATE INDEX mails_batch ON mails (batch, id) WHERE batch <> '';
CREATE INDEX mails_usual ON mails (company, purpose, created_at) WHERE batch = '';
DROP INDEX mails_planned;
