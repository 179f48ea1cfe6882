package contract

import "github.com/pinwatch/pinwatch/internal/unit"

// Test decides one clause by the numbers of one record. This package has all kinds of tests.
type Test interface {
	decide(*Record) decision
	Keys() (counts, samples []string) // the keys of the record that it uses
}

// ruling is the answer of a test.
type ruling int

const (
	undecided ruling = iota // too little evidence
	fulfilled
	across // the interval of a cost lies across an end of its range
	broken
	outside // a cost is outside its range
)

// decision is a test's answer with the numbers that it is based on.
type decision struct {
	ruling    ruling
	n         int64
	statistic string
	interval  *Interval
	got       string
	effect    string // its size in words
	need      string // of undecided: what is missing
	why       string // how the numbers compare with the claim's; "" = got shows it
	timing    bool   // it is based on times
	absence   bool   // it is based on something that was not seen

	// despiteLoad: other load on the machine, which only makes things slower, does not explain the
	// ruling.
	despiteLoad bool
	// late is the share of the tries that were not in time. Other load for that share of the time
	// explains them. Nil = not about being in time.
	late *Interval
}

// Interval is a confidence interval of a statistic.
type Interval struct {
	Lo, Hi, Confidence float64
	Unit               string
}

// needTries words what is missing after too few tries.
func needTries(least, had int64) string {
	return "need " + unit.Count(least) + " tries, had " + unit.Count(had)
}
