package contract

import (
	"slices"
	"strings"
	"testing"
)

// Every test can fail: a change that breaks any one clause changes the verdict, and too little
// evidence decides nothing.
func TestVerdictsFollowTheEvidence(t *testing.T) {
	for _, s := range Statements() {
		if s.Never != "" {
			continue
		}
		t.Run(s.ID, func(t *testing.T) {
			tr, ok := cases[s.ID]
			if !ok {
				t.Fatal("no evidence in the table of cases")
			}
			release := tr.release
			if release == "" {
				release = "go1.26.8"
			}
			with := func(changes ...string) Evidence {
				return evidence(t, release, append(slices.Clone(tr.good), changes...)...)
			}
			judge := func(want string, changes ...string) {
				t.Helper()
				o := s.Judge(with(changes...))
				if o.Verdict != want {
					t.Errorf("%q: %s, want %s; got %s, why %s", changes, o.Verdict, want, o.Got, o.Why)
				}
				if o.Got == "" || o.Why == "" {
					t.Errorf("%q: got %q, why %q: neither may be empty", changes, o.Got, o.Why)
				}
			}
			judge(tr.want)
			failed := make([]bool, len(s.Clauses))
			for change, want := range tr.breaks {
				judge(want, change)
				for i, c := range s.Clauses {
					if a := c.answer(with(change)); a.ruling > fulfilled {
						failed[i] = true
					}
				}
			}
			for i, c := range s.Clauses {
				if !failed[i] && c.Role != Control {
					t.Errorf("no change breaks the clause %q of %s", c.Holds, c.From)
				}
			}
			for _, change := range tr.tooFew {
				judge(Inconclusive, change)
			}
		})
	}
}

// A control is shown beside a cost and decides nothing.
func TestControl(t *testing.T) {
	s, _ := Find("P-9")
	for _, line := range []string{controlled, "control: exit~900000x60"} {
		if o := s.Judge(evidence(t, "go1.26.8", churned, line)); o.Verdict != Holds ||
			!strings.Contains(o.Got, "exit(2) without Go: median") {
			t.Errorf("%s: %s, got %s", line, o.Verdict, o.Got)
		}
	}
	e := evidence(t, "go1.26.8", churned, controlled)
	e.Experiments["control"].Unable = "no C compiler"
	if o := s.Judge(e); o.Verdict != Holds || len(o.Warnings) != 1 {
		t.Errorf("without the control: %s, warnings %q", o.Verdict, o.Warnings)
	}
	delete(e.Experiments, "control")
	if o := s.Judge(e); o.Verdict != Holds {
		t.Errorf("control not done: %s", o.Verdict)
	}
}

// A statement never holds when a record of one of its claims is missing.
func TestMissingEvidence(t *testing.T) {
	for _, s := range Statements() {
		if s.Never != "" {
			continue
		}
		for _, c := range s.Clauses {
			if c.Role == Control {
				continue
			}
			e := evidence(t, "go1.26.8", cases[s.ID].good...)
			delete(e.Experiments, c.From)
			if o := s.Judge(e); o.Verdict != Inconclusive {
				t.Errorf("%s without %s: %s", s.ID, c.From, o.Verdict)
			}
			e = evidence(t, "go1.26.8", cases[s.ID].good...)
			e.Experiments[c.From].Failed = "it crashed"
			if o := s.Judge(e); o.Verdict != Inconclusive || !strings.Contains(o.Why, "it crashed") {
				t.Errorf("%s where %s failed: %s, %s", s.ID, c.From, o.Verdict, o.Why)
			}
			e = evidence(t, "go1.26.8", cases[s.ID].good...)
			e.Experiments[c.From].Unable = "no such thing here"
			want := NotTestable
			if (c.Role == Exception || c.Role == Support) && !slices.ContainsFunc(s.Clauses,
				func(o Clause) bool { return o.Role == Claim && o.From == c.From }) {
				want = Holds // a supporting clause, or an exception that cannot be examined
			}
			if o := s.Judge(e); o.Verdict != want || want == Holds && len(o.Warnings) == 0 {
				t.Errorf("%s unable to do %s: %s, warnings %q", s.ID, c.From, o.Verdict, o.Warnings)
			}
		}
	}
}

// Every statement has a claim, a method, a refuter and a clause that decides it.
func TestStatementsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	n := map[string]int{}
	for _, s := range Statements() {
		if seen[s.ID] || s.ID == "" || s.Claim == "" || s.Method == "" || s.Refuter == "" || s.Want == "" {
			t.Errorf("%s: twice, or without a claim, method, refuter or want", s.ID)
		}
		seen[s.ID] = true
		n[s.Section]++
		if (s.Never == "") != slices.ContainsFunc(s.Clauses,
			func(c Clause) bool { return c.Role == Claim || c.Role == Witness }) {
			t.Errorf("%s: needs a clause that claims, or a reason why none can be tested", s.ID)
		}
		for _, c := range s.Clauses {
			if c.From == "" || c.Holds == "" || c.Broken == "" {
				t.Errorf("%s: a clause without experiment or words", s.ID)
			}
		}
	}
	want := map[string]int{Guarantees: 9, Performance: 10, Measurement: 8, NonGuarantees: 8, EdgeCases: 10, Versions: 5,
		Platforms: 4, Compliance: 10, Review: 6}
	for section, k := range want {
		if n[section] != k {
			t.Errorf("section %s has %d statements, the specification %d", section, n[section], k)
		}
	}
	if len(n) != len(Sections) {
		t.Errorf("%d sections are in use, %d have titles", len(n), len(Sections))
	}
}

// A line of the checklists is judged by findings and by vet, or it has a reason why not, which its
// verdict repeats.
func TestChecklistsAreSeenByBoth(t *testing.T) {
	for _, s := range Statements() {
		if s.Section != Compliance && s.Section != Review {
			if s.Seen != "" {
				t.Errorf("%s is no line of a checklist, and has %q", s.ID, s.Seen)
			}
			continue
		}
		findings, vet := slices.Contains(s.Experiments(), "programs"), slices.Contains(s.Experiments(), "source")
		want := map[[2]bool]string{{true, true}: "", {true, false}: byFindings, {false, true}: byVet, {}: byNeither}
		reason := want[[2]bool{findings, vet}]
		if !strings.HasPrefix(s.Seen, reason) || (s.Seen == "") != (reason == "") ||
			s.Seen == byFindings || s.Seen == byNeither {
			t.Errorf("%s, seen by findings %t, by vet %t: %q", s.ID, findings, vet, s.Seen)
		}
		if o := s.Judge(evidence(t, "go1.26.8", cases[s.ID].good...)); o.Verdict != Holds || !strings.HasSuffix(o.Why,
			s.Seen) {
			t.Errorf("%s: %s, why %q, want %q at its end", s.ID, o.Verdict, o.Why, s.Seen)
		}
	}
}
