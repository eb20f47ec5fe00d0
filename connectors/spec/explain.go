package spec

import (
	"github.com/career-relay/connector/connectors"
	"github.com/career-relay/connector/mapping"
)

// Explain says of every item in p which rule decides about it, and what the
// item leaves empty.
func (c *Connector) Explain(p connectors.Payload) ([]mapping.Reason, error) {
	docs, err := c.x.documents(p)
	if err != nil {
		return nil, err
	}
	var out []mapping.Reason
	for _, doc := range docs {
		c.rows.read(doc, p)
		c.says.say(doc)
		out = append(out, c.mapper.Explain(doc))
	}
	return out, nil
}
