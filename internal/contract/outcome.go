package contract

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Verdicts on a statement.
const (
	Holds        = "holds"
	HoldsExcept  = "holds_except"
	Witnessed    = "witnessed"     // what is not guaranteed was seen to vary
	NotWitnessed = "not_witnessed" // it was not seen to vary, which contradicts nothing
	Refuted      = "refuted"
	OutOfRange   = "out_of_range"
	Borderline   = "borderline" // the interval of a cost lies across an end of the range
	Inconclusive = "inconclusive"
	NotTestable  = "not_testable"
)

// Conclusive is false for a verdict that contradicts no other verdict on the statement.
func Conclusive(verdict string) bool {
	switch verdict {
	case NotWitnessed, Borderline, Inconclusive:
		return false
	}
	return true
}

// Outcome is the verdict on a statement, with the numbers that decided it.
type Outcome struct {
	Statement Statement
	Verdict   string
	N         int64
	Statistic string
	Interval  *Interval
	Effect    string // the size of the effect in words; "" = none to tell
	Got       string
	Why       string
	Warnings  []string
}

// noisy is how many CPUs other load may keep busy before times prove nothing against a statement. A
// fifth of one is a busy daemon.
const noisy = 0.2

// answer is a clause with the decision of its test.
type answer struct {
	Clause
	decision
	unable string
}

// Judge decides a statement by the evidence alone.
func (s Statement) Judge(e Evidence) Outcome {
	o := Outcome{Statement: s}
	if why := s.outOfScope(e); why != "" {
		o.Verdict, o.Why, o.Got = NotTestable, why, "nothing"
		return o
	}
	var answers []answer
	minor, known := Minor(e.GoVersion)
	for _, c := range s.Clauses {
		if !known || c.Since <= minor {
			answers = append(answers, c.answer(e))
		}
	}
	o.decide(answers)
	if s.Read {
		o.Effect = "" // what a source has is no share of tries
	}
	o.collect(answers, e)
	if s.Seen != "" && o.Verdict != NotTestable {
		o.Why += "; " + s.Seen
	}
	return o
}

func (s Statement) outOfScope(e Evidence) string {
	minor, known := Minor(e.GoVersion)
	switch {
	case s.Never != "":
		return s.Never
	case known && s.Scope.Since > minor:
		return fmt.Sprintf("claimed for Go 1.%d and newer; this is %s", s.Scope.Since, e.GoVersion)
	case s.Scope.Arch != "" && e.Arch != "" && s.Scope.Arch != e.Arch:
		return fmt.Sprintf("claimed for %s; this is %s", s.Scope.Arch, e.Arch)
	}
	return ""
}

// Minor is 26 for go1.26.8, go1.26rc1 and "devel go1.26-1a2b3c".
func Minor(version string) (int, bool) {
	version = strings.TrimPrefix(version, "devel ")
	parts := strings.SplitN(strings.TrimPrefix(version, "go"), ".", 3)
	if len(parts) < 2 || parts[0] != "1" {
		return 0, false
	}
	digits := strings.IndexFunc(parts[1]+".", func(r rune) bool { return r < '0' || r > '9' }) // go1.27rc1
	n, err := strconv.Atoi(parts[1][:digits])
	return n, err == nil
}

func (c Clause) answer(e Evidence) answer {
	r := e.Experiments[c.From]
	switch {
	case r == nil:
		return answer{Clause: c, decision: decision{got: "nothing", need: "the experiment " + c.From + " was not done"}}
	case r.Unable != "":
		return answer{Clause: c, unable: r.Unable}
	case r.Failed != "":
		return answer{Clause: c, decision: decision{got: "nothing",
			need: "the experiment " + c.From + " failed: " + r.Failed}}
	case e.Emulated && absolute(c.Test):
		return answer{Clause: c, unable: "durations in an emulator mean nothing"}
	}
	a := answer{Clause: c, decision: c.Test.decide(r)}
	a.effect = effect(c.Test, r, a.decision)
	switch {
	case e.Emulated && a.timing && a.ruling > fulfilled:
		// The host shares its CPUs between the emulated ones. Noise measured inside does not show
		// that.
		return answer{Clause: c, unable: "a delay or a higher cost in an emulator proves nothing"}
	case r.Lossy && a.ruling != undecided && (a.absence || a.timing):
		a.ruling, a.need = undecided, "kernel records were lost"
	case a.timing && a.ruling > fulfilled && !a.despiteLoad && c.Role != Witness &&
		(r.Noise > noisy || a.late != nil && a.late.Lo <= r.Noise):
		a.ruling, a.need = undecided, fmt.Sprintf("other load kept %.2g CPUs busy: repeat it on a quiet machine",
			r.Noise)
	case a.ruling == broken && c.Role == Witness && r.Noise > noisy:
		a.ruling, a.need = undecided, fmt.Sprintf("not seen while other load kept %.2g CPUs busy: repeat it on a quiet "+
			"machine", r.Noise)
	case a.ruling == across && c.Role == Exception:
		a.ruling = undecided // of an exception it matters only whether there is one
	}
	return a
}

// absolute is true for a test that compares a time with one in the statement, not with another
// measured time.
func absolute(t Test) bool {
	switch t := t.(type) {
	case Within:
		return !t.Effect
	case Bounded, Tail, Spread, Measured:
		return true
	}
	return false
}

// decide takes the gravest answer that is certain.
func (o *Outcome) decide(answers []answer) {
	find := func(is func(answer) bool) (found []answer) {
		for _, a := range answers {
			if is(a) {
				found = append(found, a)
			}
		}
		return found
	}
	claims := func(r ruling) []answer {
		return find(func(a answer) bool { return a.unable == "" && a.ruling == r && (a.Role == Claim || a.Role == Support) })
	}
	role := func(want Role, is func(answer) bool) []answer {
		return find(func(a answer) bool { return a.Role == want && is(a) })
	}
	unable := func(a answer) bool { return a.unable != "" }
	against := func(a answer) bool { return a.unable == "" && a.ruling > fulfilled }
	good := func(a answer) bool { return a.unable == "" && a.ruling == fulfilled }
	open := find(func(a answer) bool { return a.unable == "" && a.ruling == undecided && a.Role != Control })

	if a := claims(broken); a != nil {
		o.set(Refuted, a, brokenWords)
	} else if a := claims(outside); a != nil {
		o.set(OutOfRange, a, brokenWords)
	} else if a := append(role(Claim, unable), role(Witness, unable)...); a != nil {
		o.Verdict, o.Got, o.Why = NotTestable, "nothing", a[0].unable
	} else if open != nil {
		o.set(Inconclusive, open[:1], needWords)
	} else if a := claims(across); a != nil {
		o.set(Borderline, a, needWords)
	} else if a := role(Exception, against); a != nil {
		o.set(HoldsExcept, a, brokenWords)
	} else if a := role(Witness, against); a != nil {
		o.set(NotWitnessed, a, brokenWords)
	} else if a := role(Witness, good); a != nil {
		o.set(Witnessed, a[:1], holdsWords)
	} else if a := role(Claim, good); a != nil {
		o.set(Holds, a[:1], holdsWords)
	} else {
		o.Verdict, o.Got, o.Why = NotTestable, "nothing", "no clause decides it"
	}
}

func brokenWords(a answer) string { return a.Broken }

func holdsWords(a answer) string { return a.Holds }

func needWords(a answer) string { return a.need }

// set takes the numbers of the first answer, and the words of all that give the verdict: the meaning
// of each, with how its numbers compare with the claim's.
func (o *Outcome) set(verdict string, answers []answer, meaning func(answer) string) {
	a := answers[0]
	o.Verdict, o.N, o.Statistic, o.Interval = verdict, a.n, a.statistic, a.interval
	if verdict != Inconclusive {
		o.Effect = a.effect
	}
	var got, meanings, reasons []string
	for _, a := range answers {
		got = appendNew(got, a.got)
		words := meaning(a)
		switch decided := a.ruling != undecided && a.ruling != across && a.why != ""; {
		case slices.Contains(meanings, words) && decided:
			reasons = appendNew(reasons, a.why)
		case decided:
			reasons = append(reasons, words+": "+a.why)
		default:
			reasons = appendNew(reasons, words)
		}
		meanings = append(meanings, words)
	}
	o.Got, o.Why = strings.Join(got, "; "), strings.Join(reasons, "; ")
}

// appendNew appends what the list does not have yet.
func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// collect adds the numbers of the other clauses, and warnings about clauses that could not be
// examined.
func (o *Outcome) collect(answers []answer, e Evidence) {
	switch o.Verdict {
	case Holds, HoldsExcept, Witnessed, NotWitnessed, Refuted:
		got := strings.Split(o.Got, "; ")
		for _, a := range answers {
			if a.unable == "" && a.ruling == fulfilled {
				got = appendNew(got, a.got)
			}
		}
		o.Got = strings.Join(got, "; ")
	}
	for _, a := range answers {
		if a.Role == Control && a.ruling == fulfilled && o.Verdict != NotTestable && !strings.Contains(o.Got, a.got) {
			o.Got += "; " + a.got
		}
		if a.unable != "" && o.Verdict != NotTestable {
			o.warn("not examined: " + a.unable)
		}
		if r := e.Experiments[a.From]; r != nil && r.Unable == "" {
			for _, n := range r.Notes {
				o.warn(n)
			}
			if r.Noise > noisy && a.timing {
				o.warn(fmt.Sprintf("other load kept %.1f CPUs busy during %s", r.Noise, a.From))
			}
		}
	}
}

func (o *Outcome) warn(w string) {
	if !slices.Contains(o.Warnings, w) {
		o.Warnings = append(o.Warnings, w)
	}
}
