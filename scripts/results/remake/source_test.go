package main

import (
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/verify"
)

// The table has the line of every release that has the place, and marks the others.
func TestTable(t *testing.T) {
	s, _ := contract.Find("G-4")
	old, err := verify.Places(s.Citation(), "go1.21.13", nil)
	if err != nil || len(old) != 2 {
		t.Fatalf("%v, %v", old, err)
	}
	old[0].Line, old[1].Line = 3909, 1651
	text := table([]string{"go1.21.13", "go1.26.8"}, []map[string][]verify.Place{{"G-4": old}, {}})
	for _, want := range []string{
		"|  | function: code | go1.21.13 | go1.26.8 |\n",
		"| G-4 | goexit0: `.g0.sched)` | proc.go:3909 | – |\n",
		"| G-4 | mexit: `== &m0` | proc.go:1651 | – |\n",
		"| M-1 | initMetrics: *no* `\"/sched/threads:threads\"` | – | – |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}
