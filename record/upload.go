package record

import "time"

// An Upload is an exported file that waits for a person to look at it and to
// import it. Its content is read separately.
type Upload struct {
	ID         string    `json:"id"`
	Company    string    `json:"company"`
	Connection string    `json:"connection"`
	Preset     string    `json:"preset"` // by which it is read; "" for what the company's file says
	Sheet      string    `json:"sheet"`  // of a workbook with several
	Size       int       `json:"size"`
	Actor      string    `json:"actor"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"` // when it is deleted, imported or not
}

// A Preset is what a company explained about the files of one of its systems.
// It goes before what the company's file says.
type Preset struct {
	Company   string            `json:"company"`
	Name      string            `json:"name"`
	Encoding  string            `json:"encoding,omitempty"`
	Delimiter string            `json:"delimiter,omitempty"`
	Header    int               `json:"header,omitempty"`   // the row of the header
	Columns   map[string]string `json:"columns,omitempty"`  // header → what it is
	Outcomes  map[string]string `json:"outcomes,omitempty"` // label → what it means
	Actor     string            `json:"actor"`
	UpdatedAt time.Time         `json:"updated_at"`
}
