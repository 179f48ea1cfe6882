package text

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/pinwatch/pinwatch/docs"
)

// vocabulary collects the words of the report: titles of columns, labels, causes, states, verdicts.
func vocabulary(t *testing.T) map[string]bool {
	t.Helper()
	words := map[string]bool{}
	add := func(list ...string) {
		for _, w := range list {
			if w = strings.TrimSpace(w); w != "" {
				words[w] = true
			}
		}
	}
	for _, tab := range []table{lineTable, costTable, machineTable, pinnedTable, lockTable, siteTable, threadTable,
		kernelThreadTable, programTable, processTable} {
		for _, c := range tab {
			add(c.title)
		}
	}
	for _, q := range questions {
		add(q.id, q.phase, q.words)
	}
	for _, l := range causeLabels {
		add(l.label, l.short)
	}
	for word, text := range causeWords {
		add(word, text)
	}
	for _, text := range comparisons {
		add(text)
	}
	for phase := range phases {
		phase, _, _ = strings.Cut(phase, " lower")
		phase, _, _ = strings.Cut(phase, " upper")
		add(phase)
	}
	add("error", "warn", "info", "parked", "in use", "exiting", "wedged", "user", "runtime", "new", "ended", "brief",
		"GOMAXPROCS", "ns", "µs", "ms", "s", "k", "M", "≥", "≤", none, "nothing lost", "of one CPU", "killed")
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files { // labels, as they are printed
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc([]string{"threads", "verdicts", "check"}, func(other string) bool {
			return strings.HasPrefix(filepath.Base(file), other)
		}) {
			continue
		}
		for line := range bytes.Lines(text) {
			if runes := []rune(string(line)); len(runes) > labelWidth && runes[labelWidth-1] == ' ' &&
				runes[labelWidth] != ' ' && unicode.IsLetter(runes[0]) {
				label, _, _ := strings.Cut(string(runes[:labelWidth]), "  ")
				add(label)
			}
		}
	}
	return words
}

// pinwatch explain knows every word of the report.
func TestEveryWordIsExplained(t *testing.T) {
	words := vocabulary(t)
	for _, must := range []string{"target", "machine", "threads", "looking", "more", "p99", "this machine's time to"} {
		if !words[must] {
			t.Errorf("the vocabulary lacks %q", must)
		}
	}
	for word := range words {
		if _, ok := docs.Word(word); !ok {
			t.Errorf("docs/words.md has no entry for %q", word)
		}
	}
}
