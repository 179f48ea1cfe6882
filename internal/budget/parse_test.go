package budget

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// Every mistake has its place and, where a name is near, that name.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"threads: <= 8\nlocked_thread: <= 8\n",
			`b.yaml:2:1: no number of a report is called "locked_thread"; did you mean locked_threads?`},
		{"P-8.totl.p99: <= 80us", `b.yaml:1:1: no number of a report is called "P-8.totl.p99"; did you mean P-8.total.p99?`},
		{"P-8.total.p95: <= 80us", `did you mean P-8.total.p9`},
		{"zzzzzzzzzz: 1", "b.yaml:1:1: no number of a report is called \"zzzzzzzzzz\"; docs/check.md says which there are"},
		{"finding: {warn: 0}", "did you mean findings?"},
		{"findings: {warn: 0, leaked-pins: 0}",
			"b.yaml:1:21: no number of a report is called \"leaked-pins\"; did you mean leaked-pin?"},
		{"executable: {a: {threads: 1}}", "did you mean executables?"},
		{"executables:\n  a: {thread: 1}", "b.yaml:2:7: no number of a report is called \"thread\"; did you mean threads?"},
		{"P-8.total.p99: <= 80", "b.yaml:1:16: P-8.total.p99 is a time: 80 needs a unit: ns, us, µs, ms, s"},
		{"P-8.total.p99: 80", "b.yaml:1:16: P-8.total.p99 is a time: 80 needs a unit"},
		{"P-8.total.p99: <= 80usec", `b.yaml:1:16: P-8.total.p99 is a time, and "usec" no unit of it; did you mean us? want`},
		{"threads: <= 8ms", `b.yaml:1:10: threads is a number without a unit: what is "ms"?`},
		{"observer.cpu_fraction: <= 2ms", `is a share, and "ms" no unit of it; want %`},
		{"threads: about 8", `b.yaml:1:10: "about 8" is no budget: want a comparison, as in <= 8, or a range, as in 8..8`},
		{"threads: 4..2", "b.yaml:1:10: 4..2: the range ends before it begins"},
		{"threads: -2", "b.yaml:1:10: -2: want a number from 0 on"},
		{"threads: .nan", "want a number from 0 on"},
		{"threads: 1\nthreads: 2", `b.yaml:2:1: "threads" is there already, in line 1`},
		{"threads: 1\ncounts.threads: 2", "b.yaml:2:1: there is a budget of threads already"},
		{"threads: >= 8", "; in YAML a value that begins with > stands in quotes: \">= 8\""},
		{"threads: [8", "b.yaml:2:1: did not find expected"},
		{"\tthreads: 8", "b.yaml:1:1: found character that cannot start any token"},
		{"threads: 8\n---\nthreads: 9", "several YAML documents"},
		{"", "b.yaml:1:1: it has no budget"},
		{"# nothing\n", "b.yaml:1:1: it has no budget"},
		{"schema: pinwatch.budget/v1", "b.yaml:1:1: it has no budget"},
		{"schema: pinwatch.budget/v9\nthreads: 1",
			`b.yaml:1:9: schema "pinwatch.budget/v9": this pinwatch reads pinwatch.budget/v1`},
		{"threads: &a 8", "b.yaml:1:10: anchors and aliases are refused"},
		{"threads: *a", "unknown anchor"},
		{"<<: {threads: 1}", "no number of a report is called \"<<\""},
		{"threads: !!str 8", "b.yaml:1:10: tags are refused"},
		{"? [a, b]\n: 1", "want a budget, as in <= 8"},
		{"threads: \xff", "b.yaml:1:"},
		{strings.Repeat("x", 90) + ": 1", "xxx…"},
		{strings.Repeat("# 4\n", MaxBytes/4+1), "b.yaml:1:1: larger than 1048576 bytes"},
	} {
		b, err := Parse("b.yaml", []byte(c.text))
		var mistakes Errors
		if !errors.As(err, &mistakes) || b != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q: %v\nwant %s", c.text, err, c.want)
		}
	}
}

// All mistakes of a file are told, up to a number.
func TestManyMistakes(t *testing.T) {
	_, err := Parse("b.yaml", []byte("threads: a\nx: 1\nlocked_threads: 1ms\n"))
	var mistakes Errors
	if errors.As(err, &mistakes); len(mistakes) != 3 || mistakes[2].Line != 3 {
		t.Errorf("mistakes: %v", err)
	}
	_, err = Parse("b.yaml", []byte(strings.Repeat("? [a]\n: 1\n", 1000)))
	if errors.As(err, &mistakes); len(mistakes) != mostErrors {
		t.Errorf("%d mistakes, want %d", len(mistakes), mostErrors)
	}
}

// A file that is made to be large when it is read costs neither time nor memory.
func TestBombs(t *testing.T) {
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'z'; c++ {
		laughs += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 9) + "]\n"
	}
	keys := strings.Builder{}
	for i := range 60_000 {
		keys.WriteString(strings.Repeat("k", 1+i%9) + time.Duration(i).String() + ": 1\n")
	}
	causes, executables := strings.Builder{}, strings.Builder{}
	executables.WriteString("executables:\n")
	for i := range 30_000 {
		fmt.Fprintf(&causes, "P-8.total.cause=c%d.n: 1\n", i)
		fmt.Fprintf(&executables, "  e%d: {threads: 1}\n", i)
	}
	for name, text := range map[string]string{
		"causes": causes.String() + "x: 1", "executables": executables.String() + "x: 1",
		"aliases": laughs, "brackets": strings.Repeat("[", MaxBytes), "maps": strings.Repeat("{a: ", MaxBytes/4),
		"dashes": strings.Repeat("- ", MaxBytes/2), "keys": keys.String()[:MaxBytes-8],
		"long name": strings.Repeat("x", MaxBytes-8) + ": 1",
	} {
		begun := time.Now()
		if _, err := Parse("b.yaml", []byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%s took %v", name, took)
		} else {
			t.Logf("%s: %v", name, took)
		}
	}
}

// FuzzParse: a text is a budget or has a mistake with a place; a schema's reader accepts what is one.
func FuzzParse(f *testing.F) {
	for _, file := range files {
		f.Add([]byte(file.text))
	}
	schema := compileSchema(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := Parse("b.yaml", text)
		if err == nil {
			var doc any
			if err := yaml.Unmarshal(text, &doc); err != nil {
				t.Error(err)
			}
			if err := schema.Validate(asJSON(doc)); err != nil {
				t.Errorf("%q is a budget: %v", text, err)
			}
		}
		var mistakes Errors
		switch {
		case err == nil && len(b.entries) == 0:
			t.Error("neither budgets nor a mistake")
		case err != nil && (!errors.As(err, &mistakes) || len(mistakes) == 0 || len(mistakes) > mostErrors):
			t.Errorf("error %v", err)
		}
		for _, m := range mistakes {
			if m.Line < 1 || m.Column < 1 || m.Message == "" {
				t.Errorf("mistake %+v", m)
			}
		}
	})
}

// The file in the documentation is one.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "check.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if _, err := Parse("check.md", []byte(example)); err != nil || !found {
		t.Error(err)
	}
}
