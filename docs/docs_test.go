package docs

import (
	"os"
	"strings"
	"testing"
)

// Every name that is listed has an entry with text of its own.
func TestEntries(t *testing.T) {
	for kind, list := range map[string]struct {
		names []string
		find  func(string) (Entry, bool)
	}{
		"finding": {Findings(), Finding}, "check": {Checks(), Check}, "word": {Words(), Word},
	} {
		if len(list.names) < 9 {
			t.Errorf("%d names of kind %s", len(list.names), kind)
		}
		for _, name := range list.names {
			if e, ok := list.find(strings.ToUpper(name)); !ok || strings.TrimSpace(e.Body) == "" || e.Title == "" {
				t.Errorf("%s %q: %+v, %t", kind, name, e, ok)
			}
		}
		if e, ok := list.find("no such thing"); ok {
			t.Errorf("%s: %+v", kind, e)
		}
	}
	if e, _ := Word("clone syscall"); !strings.Contains(e.Title, "create a thread") {
		t.Errorf("signs that join words count: %+v", e)
	}
	if e, _ := Word("M"); !strings.Contains(e.Body, "million") || !strings.Contains(e.Body, "kernel puts on a CPU") {
		t.Errorf("a word with two meanings: %+v", e)
	}
}

// An entry teaches: an example, when to ignore it, and how it was measured.
func TestFindingsTeach(t *testing.T) {
	for _, id := range Findings() {
		e, _ := Finding(id)
		for _, part := range []string{"// before", "// after", "\nIgnore it if ", "\nMeasured: "} {
			if !strings.Contains(e.Body, part) {
				t.Errorf("docs/findings.md: the section on %s lacks %q", id, part)
			}
		}
	}
	for _, name := range Checks() {
		e, _ := Check(name)
		if !strings.Contains(e.Body, "before") || strings.Count(e.Body, "```go") == 0 ||
			!strings.Contains(e.Body, "gnore it") {
			t.Errorf("docs/vet.md: the section on %s lacks an example or when to ignore it", name)
		}
	}
}

// Every entry of words.md is read: none has another form.
func TestEveryLineIsAnEntry(t *testing.T) {
	text, err := os.ReadFile("words.md")
	if err != nil {
		t.Fatal(err)
	}
	if listed, read := strings.Count(string(text), "\n- "), len(entry.FindAllString(words, -1)); listed != read {
		t.Errorf("%d list items, %d entries", listed, read)
	}
}
