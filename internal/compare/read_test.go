package compare_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/compare"
	"github.com/pinwatch/pinwatch/internal/report"
)

// ndjson is reports one after another, a line each.
func ndjson(t *testing.T, reports ...*report.Report) string {
	t.Helper()
	var b bytes.Buffer
	for _, r := range reports {
		if err := report.WriteNDJSON(&b, r); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// What can't be compared is refused in one line that names the file and, inside it, the line.
func TestBadInput(t *testing.T) {
	t.Chdir(t.TempDir())
	good := ndjson(t, made(0, 0, 0.01, nil))
	if err := os.Mkdir("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	directory(t, "half", 5, 0, 0.01, nil)
	whole, err := os.ReadFile("half/003.json")
	if err != nil {
		t.Fatal(err)
	}
	write(t, "half/003.json", string(whole[:len(whole)/2]))
	lines := bytes.Count(whole[:len(whole)/2], []byte("\n"))
	if lines < 20 {
		t.Fatal(lines)
	}
	for path, want := range map[string]string{
		"missing":                              "missing: no such file",
		"empty":                                "empty: no file in it is called *.json",
		"half":                                 "half/003.json:|the report ends in the middle",
		write(t, "cut.json", good+good[:99]):   "cut.json:2: the report ends in the middle",
		write(t, "nul.json", good+"{\x00\x00"): "nul.json:2: invalid character",
		write(t, "two.json", good+"\n\n"+strings.Replace(good, "report/v1", "report/v2", 1)): "two.json:4: its schema is \"pinwatch.report/v2\"|pinwatch.report/v1 only",
		write(t, "sum.json", `{"schema":"pinwatch.summary/v1"}`):                             "sum.json:1:|summary/v1|observe one process",
		write(t, "no.json", "{}"):                 "no.json:1: no report of pinwatch",
		write(t, "type.json", "{\n\"schema\":5}"): "type.json:2: \"schema\" is a number",
		write(t, "cost.json", "{\"schema\":\"pinwatch.report/v1\",\n\"costs\":[{\"p50\":\"x\"}]}"): "cost.json:2: \"costs.p50\" is a string",
		write(t, "nothing.json", ""):                       "nothing.json: neither a report",
		write(t, "words.txt", "hello\n"):                   "words.txt: neither a report",
		write(t, "bad.txt", "BenchmarkA 10 x ns/op\n"):     "bad.txt:1",
		write(t, "nan.txt", "ok\nBenchmarkA 10 NaN ns/op"): "nan.txt:2: NaN",
	} {
		_, err := compare.Read(path)
		for _, part := range strings.Split(want, "|") {
			if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want %q", path, err, part)
			}
		}
	}
}

// Intervals of a run, lossy runs and copies are no runs, and that is said.
func TestLeftOut(t *testing.T) {
	t.Chdir(t.TempDir())
	window := func(pid int, start, end int64, final bool) *report.Report {
		r := made(pid, 0, 0.01, nil)
		r.Window = report.Window{StartNS: start, EndNS: end}
		r.Final = final
		return r
	}
	lossy := made(9, 0, 0.01, func(r *report.Report) { r.Loss.ByKind = map[string]uint64{"switch": 3}; r.Loss.Total = 3 })
	for name, c := range map[string]struct {
		text string
		runs int
		why  string
	}{
		"with its end": {ndjson(t, window(1, 0, 5, false), window(1, 5, 9, false), window(1, 0, 9, true)), 1,
			"2 reports: an interval of the run whose end"},
		"without its end": {ndjson(t, window(1, 0, 5, false), window(1, 5, 9, false)), 0,
			"2 reports: an interval of a run whose end is not"},
		"several runs": {ndjson(t, window(1, 0, 5, false), window(2, 5, 9, false)), 2, ""},
		"lossy":        {ndjson(t, lossy, made(8, 0, 0.01, nil)), 1, "1 report: records were lost"},
		"copies":       {ndjson(t, made(8, 0, 0.01, nil), made(8, 0, 0.01, nil)), 1, "1 report: the same run as"},
	} {
		path := write(t, "runs.ndjson", c.text)
		got := compared(t, path, path)
		warnings := strings.Join(got.Warnings, "\n")
		if got.Old.Runs != c.runs || !strings.Contains(warnings, c.why) || c.why == "" && warnings != "" {
			t.Errorf("%s: %d runs, %q, want %d, %q", name, got.Old.Runs, warnings, c.runs, c.why)
		}
	}
	directory(t, "other", 2, 0, 0.01, nil)
	write(t, "other/README", "")
	const unread = "not read, because of the name: README"
	if w := compared(t, "other", "other").Warnings; len(w) != 1 || !strings.Contains(w[0], unread) {
		t.Error(w)
	}
}

// Whatever is read, nothing panics, and what is accepted can be compared and written.
func FuzzRead(f *testing.F) {
	r := made(0, 0, 0.01, nil)
	r.Costs = r.Costs[:2]
	var b bytes.Buffer
	if err := report.WriteJSON(&b, r); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	f.Add(`{"schema":"pinwatch.report/v1","costs":[{"id":"P-8","n":100,"p50":1,"p99":-4,"locked":"x"}]}{`)
	f.Add("goos: linux\nBenchmarkA-2 10 5 ns/op 3 MB/s\nBenchmarkA-2 10 0 ns/op\nUnit ns/op better=lower\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := write(t, t.TempDir()+"/f.json", strings.Repeat(text, 6))
		s, err := compare.Read(path)
		if err != nil {
			if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path) {
				t.Errorf("%q", err)
			}
			return
		}
		var out bytes.Buffer
		c := compare.Compare("", s, []*compare.Side{s})
		if err := report.WriteComparedJSON(&out, c); err != nil {
			t.Fatal(err)
		}
		if err := report.WriteComparedBenchmarks(&out, c); err != nil {
			t.Fatal(err)
		}
	})
}
