package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/contract"
)

// Every statement is in one part: those whose experiments watch the kernel in the first, those
// about programs in the second.
func TestDivide(t *testing.T) {
	ids := divide("")
	if n := len(contract.Statements()); len(slices.Concat(ids...)) != n {
		t.Errorf("%d statements in the parts, want %d", len(slices.Concat(ids...)), n)
	}
	if !slices.Contains(ids[0], "P-8") || !slices.Contains(ids[1], "C-2") || !slices.Contains(ids[2], "G-1") {
		t.Errorf("got %q", ids)
	}
	got := divide("G-1,P-8")
	if !slices.Equal(got[0], []string{"P-8"}) || got[1] != nil || !slices.Equal(got[2], []string{"G-1"}) {
		t.Errorf("got %q", got)
	}
}

func verdictsOf(kernel, id string) string {
	const document = `{
	"schema": "pinwatch.verdicts/v1", "host": {"kernel": %q}, "verdicts": [{"id": %q, "verdict": "holds"}]
}`
	return fmt.Sprintf(document, kernel, id)
}

func TestGuestVerdicts(t *testing.T) {
	const kernel = "KMATRIX kernel 6.1.0"
	first := []string{
		kernel, "KMATRIX begin verify-kernel", verdictsOf("6.1.0", "P-8"), "KMATRIX end verify-kernel exit=3",
	}
	second := []string{"KMATRIX begin verify-rest", verdictsOf("6.1.0", "G-1"), "KMATRIX end verify-rest exit=4"}
	exit := []string{"KMATRIX exit=1"} // some verdicts have an exit code that is not 0
	begin := func(step string, exit int) []string {
		return []string{kernel, "KMATRIX begin " + step, fmt.Sprintf("KMATRIX end %s exit=%d", step, exit)}
	}
	for _, tt := range []struct {
		what  string
		lines []string
		want  string // ids, and words of the error
	}{
		{"both parts", slices.Concat(first, second, exit), "G-1 P-8"},
		{"the first alone", slices.Concat(first, exit), "P-8"},
		{"no boot", nil, "did not boot"},
		{"cut", slices.Concat(first, second), "did not end"},
		{"nothing ran", slices.Concat([]string{kernel}, exit), "no verdicts"},
		{"one killed", slices.Concat(begin("verify-kernel", 125), second, exit), "G-1 verify-kernel: exit 125"},
		{"an error", slices.Concat(begin("verify-rest", 1), exit), "verify-rest: exit 1"},
		{"no document", slices.Concat(begin("verify-rest", 0), exit), "no report"},
		{"another kernel", slices.Concat([]string{"KMATRIX kernel 5.10.0"}, first[1:], exit), "another kernel"},
	} {
		v, err := parseLog(console(tt.lines...)).verdicts()
		var got []string
		if v != nil {
			for _, row := range v.Verdicts {
				got = append(got, row.ID)
			}
		}
		if err != nil {
			got = append(got, err.Error())
		}
		text := strings.Join(got, " ")
		if !strings.Contains(text, tt.want) {
			t.Errorf("%s: %q, want %q", tt.what, text, tt.want)
		}
	}
}

func TestTitle(t *testing.T) {
	if got := title("7.3.4+deb13-cloud-amd64"); got != "Linux 7.3" {
		t.Errorf("got %q", got)
	}
}
