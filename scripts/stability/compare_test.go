package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/scripts/results"
)

// verdicts are the verdicts of one run, one letter per statement: h(olds), r(efuted), b(orderline),
// i(nconclusive).
func verdicts(letters string) *results.Verdicts {
	words := map[rune]string{'h': contract.Holds, 'r': contract.Refuted, 'i': contract.Inconclusive,
		'b': contract.Borderline}
	v := &results.Verdicts{}
	for i, l := range letters {
		v.Verdicts = append(v.Verdicts, report.StatementVerdict{ID: string(rune('A' + i)), Verdict: words[l]})
	}
	return v
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name          string
		alone, beside string
		want          string // a line of the report
		stable        bool
	}{
		{"the same", "hhrh", "hhrh", "4 statements in 2 runs: 4 the same in all, 0 inconclusive in some, 0 WRONG", true},
		{"open beside hogs", "hhrh", "iiii", "A: holds, inconclusive in beside-1", true},
		{"open first", "ihhh", "hhhh", "A: holds, inconclusive in alone-1", true},
		{"open in all", "ihhh", "ihhh", "A: inconclusive in alone-1 beside-1", true},
		{"borderline", "hhhh", "bhhh", "A: holds in alone-1, borderline in beside-1", true},
		{"another verdict", "hhhh", "hrhh", "B: WRONG: holds in alone-1, refuted in beside-1", false},
		{"too many open alone", "iiih", "hhhh", "alone-1: 3 inconclusive, 2 are allowed", false},
		{"nothing", "", "", "0 statements in 2 runs", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all comparison
			all.add("alone-1", verdicts(c.alone))
			all.add("beside-1", verdicts(c.beside))
			var out bytes.Buffer
			err := all.report(&out)
			if !strings.Contains(out.String(), c.want) || (err == nil) != c.stable {
				t.Errorf("%v, want stable %v; got\n%swant %q", err, c.stable, out.String(), c.want)
			}
		})
	}
}
