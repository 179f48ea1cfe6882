package contract

import (
	"fmt"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// Never is fulfilled when none of many tries was bad. Seen, if named, counts the same thing where
// it is expected. If that count is 0, the experiment could not see the thing at all.
type Never struct {
	Bad, Of string
	Least   int64  // tries that are enough
	Seen    string // the control
	Words   string // format of the counts of Bad and Of
	Timed   bool   // a busy machine can make it look broken
}

// Keys implements Test.
func (t Never) Keys() (counts, samples []string) {
	counts = []string{t.Bad, t.Of}
	if t.Seen != "" {
		counts = append(counts, t.Seen)
	}
	return counts, nil
}

func (t Never) decide(r *Record) decision {
	bad, of := r.Counts[t.Bad], r.Counts[t.Of]
	d := decideCounts(t.Words, bad, of)
	d.absence, d.timing = true, t.Timed
	switch {
	case bad > 0:
		d.ruling, d.absence = broken, false
		if t.Timed {
			d.late = share(bad, of)
		}
	case of < t.Least:
		d.need = needTries(t.Least, of)
	case t.Seen != "" && r.Counts[t.Seen] == 0:
		d.need = "the control never showed it, so its absence proves nothing"
	default:
		d.ruling = fulfilled
	}
	return d
}

// Always is fulfilled when every one of enough tries was good: the two counts are equal.
type Always struct {
	Good, Of string
	Least    int64
	Words    string // format of the counts of Good and Of
	Timed    bool   // a busy machine can make it look broken
}

// Keys implements Test.
func (t Always) Keys() (counts, samples []string) { return []string{t.Good, t.Of}, nil }

func (t Always) decide(r *Record) decision {
	good, of := r.Counts[t.Good], r.Counts[t.Of]
	d := decideCounts(t.Words, good, of)
	d.timing = t.Timed
	switch {
	case of == 0 || good == of && of < t.Least:
		d.need = needTries(t.Least, of)
	case good != of:
		d.ruling, d.absence = broken, good < of // missing ones may have been lost
		if t.Timed {
			d.late = share(max(good, of)-min(good, of), max(good, of)) // too many are as wrong as too few
		}
	default:
		d.ruling = fulfilled
	}
	return d
}

// Happens is fulfilled when it was seen at least once, and broken when enough tries never showed
// it.
type Happens struct {
	Count, Of string
	Least     int64  // tries after which absence proves something
	Words     string // format of both counts
}

// Keys implements Test.
func (t Happens) Keys() (counts, samples []string) { return []string{t.Count, t.Of}, nil }

func (t Happens) decide(r *Record) decision {
	n, of := r.Counts[t.Count], r.Counts[t.Of]
	d := decideCounts(t.Words, n, of)
	switch {
	case n > 0:
		d.ruling = fulfilled
	case of < t.Least:
		d.need = needTries(t.Least, of)
	default:
		d.ruling, d.absence = broken, true
	}
	return d
}

// decideCounts is the undecided decision on n of so many.
func decideCounts(words string, n, of int64) decision {
	return decision{n: of, statistic: "share", interval: share(n, of),
		got: fmt.Sprintf(words, unit.Count(n), unit.Count(of))}
}

// Varies is fulfilled when at least two outcomes were seen, and broken when many runs all had the
// same.
type Varies struct {
	Outcomes string // name in Record.Outcomes
	Least    int64
	Words    string // format of the number of different outcomes and of runs
}

// Keys implements Test.
func (t Varies) Keys() (counts, samples []string) { return nil, nil }

func (t Varies) decide(r *Record) decision {
	n, runs := int64(len(r.Outcomes[t.Outcomes])), int64(0)
	for _, times := range r.Outcomes[t.Outcomes] {
		runs += times
	}
	d := decision{n: runs, statistic: "distinct outcomes", got: fmt.Sprintf(t.Words, unit.Count(n), unit.Count(runs))}
	switch {
	case n > 1:
		d.ruling = fulfilled
	case n == 0 || runs < t.Least:
		d.need = fmt.Sprintf("need %s runs that all give the same, had %s", unit.Count(t.Least), unit.Count(runs))
	default:
		d.ruling = broken
	}
	return d
}
