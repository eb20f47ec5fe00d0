package intake

// A Tally counts what becomes of the rows of a file.
type Tally struct {
	Counts map[Verdict]int `json:"counts"`
	Labels []LabelCount    `json:"labels"` // that nobody understands yet

	index map[labelKey]int
}

type labelKey struct {
	column, label string
	verdict       Verdict
}

// A LabelCount is a label that must be explained.
type LabelCount struct {
	Label   string  `json:"label"`
	Column  string  `json:"column"`
	Verdict Verdict `json:"verdict"`
	Rows    int     `json:"rows"`
}

// maxLabels bounds the list of labels: more than that are notes, not results.
const maxLabels = 100

// NewTally returns a tally of nothing.
func NewTally() Tally {
	return Tally{Counts: map[Verdict]int{}, Labels: []LabelCount{}, index: map[labelKey]int{}}
}

// Add counts a row.
func (t *Tally) Add(j Judged) {
	t.Counts[j.Verdict]++
	if j.Verdict != RowUnknown && j.Verdict != RowAmbiguous {
		return
	}
	k := labelKey{j.Column, j.Label, j.Verdict}
	i, ok := t.index[k]
	if !ok {
		if len(t.Labels) == maxLabels {
			return
		}
		i = len(t.Labels)
		t.index[k], t.Labels = i, append(t.Labels, LabelCount{Label: j.Label, Column: j.Column, Verdict: j.Verdict})
	}
	t.Labels[i].Rows++
}

// Rows is how many rows were counted.
func (t *Tally) Rows() int {
	n := 0
	for _, count := range t.Counts {
		n += count
	}
	return n
}
