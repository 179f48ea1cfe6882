package text_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/text"
)

// examples renders the recorded files in testdata/examples, which are output of pinwatch with -o
// json. A document shows one between the line <!-- example: NAME --> and the end of the fenced
// block that follows.
func examples(t *testing.T) map[string]string {
	t.Helper()
	var r report.Report
	var l report.ThreadList
	var v report.Verdicts
	for name, into := range map[string]any{"report": &r, "threads": &l, "verdicts": &v} {
		b, err := os.ReadFile("testdata/examples/" + name + ".json")
		if err == nil {
			err = json.Unmarshal(b, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var screen, whole, threads, verdicts bytes.Buffer
	for _, err := range []error{
		text.WriteReport(&screen, &r, text.Options{}), text.WriteReport(&whole, &r, text.Options{Verbose: true}),
		text.WriteThreadList(&threads, &l, text.ListOptions{}),
		text.WriteVerdicts(&verdicts, []*report.Verdicts{&v}, text.Options{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w := whole.String()
	return map[string]string{
		"report": w, "screen": screen.String(), "threads": threads.String(), "verdicts": verdicts.String(),
		"report-summary":  lines(t, w, "target ", "\n\n"),
		"finding":         lines(t, w, "WARN ", "\n\n"),
		"report-costs":    lines(t, w, "  phase ", "threads "),
		"report-counts":   lines(t, w, "threads ", "\n\n"),
		"report-locked":   lines(t, w, "  locked ", "\n\n"),
		"report-threads":  lines(t, w, "     tid ", "\n\n"),
		"report-observer": lines(t, w, "losses ", "\n\n"),
		"verdict":         lines(t, verdicts.String(), "◐ G-4 ", "\n\n"),
	}
}

// lines is the part of s from the first line with the prefix from up to the next to.
func lines(t *testing.T, s, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut("\n"+s, "\n"+from)
	part, _, ended := strings.Cut(rest, "\n"+strings.TrimPrefix(to, "\n"))
	if !ok || !ended {
		t.Fatalf("the example has no line %q, or no %q after it", from, to)
	}
	return from + strings.TrimRight(part, "\n") + "\n"
}

var example = regexp.MustCompile("(?s)<!-- example: ([^ ]+) -->\n+```[a-z]*\n(.*?)```\n")

// show returns doc with the examples in place, and the names of those that it shows. Every marker
// needs a known name and a block.
func show(doc string, examples map[string]string) (shown string, names []string, err error) {
	shown = example.ReplaceAllStringFunc(doc, func(block string) string {
		m := example.FindStringSubmatch(block)
		want, known := examples[m[1]]
		if !known {
			err = fmt.Errorf("no example is called %s", m[1])
		}
		names = append(names, m[1])
		return strings.TrimSuffix(block, m[2]+"```\n") + want + "```\n"
	})
	if n := strings.Count(doc, "<!-- example: "); n != len(names) && err == nil {
		err = fmt.Errorf("%d examples, of which %d have a fenced block", n, len(names))
	}
	return shown, names, err
}

// The documents show what pinwatch prints. With -update their examples are written.
func TestExamplesInDocuments(t *testing.T) {
	all := examples(t)
	files, err := filepath.Glob("../../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, file := range append(files, "../../../README.md") {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		shown, names, err := show(string(doc), all)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		total += len(names)
		switch {
		case shown == string(doc):
		case flag.Lookup("update").Value.String() == "true":
			if err := os.WriteFile(file, []byte(shown), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s: an example of %q is not what pinwatch prints; run the test with -update", file, names)
		}
	}
	if total == 0 {
		t.Error("no document shows an example")
	}
}

func TestShowExample(t *testing.T) {
	all := map[string]string{"a": "1\n"}
	for doc, want := range map[string]string{
		"x\n<!-- example: a -->\n```\nold\n```\ny\n":                "x\n<!-- example: a -->\n```\n1\n```\ny\n",
		"<!-- example: a -->\n\n```text\n1\n```\n":                  "<!-- example: a -->\n\n```text\n1\n```\n",
		"no example\n```\nold\n```\n":                               "no example\n```\nold\n```\n",
		"<!-- example: b -->\n```\nold\n```\n":                      "", // no such name
		"<!-- example: a -->\nwords\n\n```\nold\n```\n":             "", // no block
		"<!-- example: a -->\n```\nold\n```\n<!-- example: a -->\n": "",
	} {
		if got, _, err := show(doc, all); (err != nil) != (want == "") || err == nil && got != want {
			t.Errorf("%q gives %q, %v", doc, got, err)
		}
	}
}
