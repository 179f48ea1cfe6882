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
	Refuted      = "refuted"
	OutOfRange   = "out_of_range"
	Inconclusive = "inconclusive"
	NotTestable  = "not_testable"
)

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
	for _, c := range s.Clauses {
		answers = append(answers, c.answer(e))
	}
	o.decide(answers)
	if s.Read {
		o.Effect = "" // what a source has is no share of tries
	}
	o.collect(answers, e)
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
	case a.timing && a.ruling > fulfilled && !a.despiteLoad &&
		(r.Noise > noisy || a.late != nil && a.late.Lo <= r.Noise):
		a.ruling, a.need = undecided, fmt.Sprintf("other load kept %.2g CPUs busy: repeat it on a quiet machine",
			r.Noise)
	}
	return a
}

// absolute is true for a test that compares a time with one in the statement, not with another
// measured time.
func absolute(t Test) bool {
	switch t := t.(type) {
	case Within:
		return !t.Effect
	case Bounded, Exceeds:
		return true
	}
	return false
}

// decide takes the gravest answer that is certain.
func (o *Outcome) decide(answers []answer) {
	find := func(role func(Role) bool, is func(answer) bool) *answer {
		for i := range answers {
			if role(answers[i].Role) && is(answers[i]) {
				return &answers[i]
			}
		}
		return nil
	}
	claims := func(r Role) bool { return r != Exception }
	claim := func(r Role) bool { return r == Claim }
	exception := func(r Role) bool { return r == Exception }
	is := func(r ruling) func(answer) bool {
		return func(a answer) bool { return a.unable == "" && a.ruling == r }
	}
	unable := func(a answer) bool { return a.unable != "" }
	any := func(Role) bool { return true }

	if a := find(claims, is(broken)); a != nil {
		o.set(Refuted, a, a.Broken)
	} else if a := find(claims, is(outside)); a != nil {
		o.set(OutOfRange, a, a.Broken)
	} else if a := find(claim, unable); a != nil {
		o.Verdict, o.Got, o.Why = NotTestable, "nothing", a.unable
	} else if a := find(any, is(undecided)); a != nil {
		o.set(Inconclusive, a, a.need)
	} else if a := find(exception, func(a answer) bool { return a.unable == "" && a.ruling > fulfilled }); a != nil {
		o.set(HoldsExcept, a, a.Broken)
	} else if a := find(claim, is(fulfilled)); a != nil {
		o.set(Holds, a, a.Holds)
	} else {
		o.Verdict, o.Got, o.Why = NotTestable, "nothing", "no clause decides it"
	}
}

// set takes the numbers of the answer that decides.
func (o *Outcome) set(verdict string, a *answer, why string) {
	o.Verdict, o.N, o.Statistic, o.Interval, o.Got, o.Why = verdict, a.n, a.statistic, a.interval, a.got, why
	if verdict != Inconclusive {
		o.Effect = a.effect
	}
}

// collect adds the numbers of the other clauses, and warnings about clauses that could not be
// examined.
func (o *Outcome) collect(answers []answer, e Evidence) {
	if o.Verdict == Holds || o.Verdict == HoldsExcept {
		got := []string{o.Got}
		for _, a := range answers {
			if a.unable == "" && a.ruling == fulfilled && !slices.Contains(got, a.got) {
				got = append(got, a.got)
			}
		}
		o.Got = strings.Join(got, "; ")
	}
	for _, a := range answers {
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
