package cases

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	e, err := Parse("EXPECT", `# After a report.
short
needs cgo namespaces
build -ldflags=-s -tags=x
env A=1 B=2
args 300 -hold 10s

	pinwatch attach -d 4s --sites
exit 1
want 25 threads .* \$${n}
never nothing
findings leaked-pin ?thread-surplus
json threads[tid=$tid,lock=user].role = worker
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Checks) != 4 || e.Checks[3].Line != 13 || e.Checks[3].Op != "=" || e.Checks[3].Value != "worker" {
		t.Errorf("checks are %+v", e.Checks)
	}
	e.Checks = nil
	want := Expect{Short: true, Needs: []string{"cgo", "namespaces"}, Build: []string{"-ldflags=-s", "-tags=x"},
		Env: []string{"A=1", "B=2"}, Args: []string{"300", "-hold", "10s"},
		Pinwatch: []string{"attach", "-d", "4s", "--sites"}, Exit: 1}
	if !reflect.DeepEqual(*e, want) {
		t.Errorf("%+v, want %+v", *e, want)
	}
}

// Bad input gets one line with the file and the line in it.
func TestParseErrors(t *testing.T) {
	for line, want := range map[string]string{
		"wnat x":           `no such word; it is short,`,
		"want":             `nothing follows it`,
		"short yes":        `it stands alone, without "yes"`,
		"want (":           "missing closing )",
		"needs luck":       `"luck" is no such need; it is one of cgo,`,
		"exit one":         `parsing "one"`,
		"json counts.x":    `want PATH OP VALUE`,
		"json a..b = 1":    `"a..b" is no path`,
		"json a[b] = 1":    `[b] is neither [N] nor [KEY=VALUE]`,
		"json a.b == 1":    `no such operator: "=="`,
		"json a.b ~ [":     `missing closing ]`,
		"json a.b[0 = 1":   `"a.b[0" is no path`,
		"json a.b[x=1]c=1": `want PATH OP VALUE`,
	} {
		_, err := Parse("x/EXPECT", "# Report.\npinwatch threads\n"+line+"\n")
		word, _, _ := strings.Cut(line, " ")
		if err == nil || !strings.HasPrefix(err.Error(), "x/EXPECT:3: "+word+": ") ||
			!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                              "x/EXPECT:1: the first line must be a comment",
		"# Report.\nwant x\n":           `x/EXPECT: no line "pinwatch COMMAND"`,
		"# Report.\npinwatch threads\n": "x/EXPECT: nothing is expected",
	} {
		if _, err := Parse("x/EXPECT", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

const document = `{"counts": {"exits": 25, "none": null, "rate": 0.5}, "name": "go1.26.8",
	"threads": [{"tid": 7, "lock": "user", "cpus": [0, 1], "n": 2}, {"tid": 8, "lock": "none", "cpus": [], "n": 3}],
	"findings": [{"id": "leaked-pin", "message": "3 threads stay locked"}], "warnings": ["the clock is slow"]}`

func outcomeOf(t *testing.T) *Outcome {
	t.Helper()
	o := &Outcome{Text: "WARN 3 threads\n   stay locked\nnote the clock is slow", Account: map[string]any{
		"tid": 7.0, "exits": 24.0, "word": "user", "f": "main.(*T).pin"}}
	if err := json.Unmarshal([]byte(document), &o.JSON); err != nil {
		t.Fatal(err)
	}
	return o
}

func problems(t *testing.T, anywhere, lines string) string {
	t.Helper()
	e, err := Parse("EXPECT", "# Report.\npinwatch attach\n"+lines+"\n")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(e.Problems(outcomeOf(t), []*regexp.Regexp{regexp.MustCompile(anywhere)}), "\n")
}

func TestHolds(t *testing.T) {
	for _, line := range []string{
		"json counts.exits = $exits+1",
		"json counts.exits = 25",
		"json counts.exits > $exits*2-24",
		"json counts.none = null",
		"json counts.rate <= 0.5",
		"json name ~ ^go1\\.26",
		"json threads[0].tid = $tid",
		"json threads[tid=$tid].lock = $word",
		"json threads[lock=user,tid=7].cpus = [0,1]",
		"json threads.n >= 2",
		"json threads# = 2",
		"json threads[lock=wedged]# = 0",
		"json threads.n+ = 5",
		"json threads[lock=user].cpus# = 2",
		"want ^WARN 3 threads stay",
		"never ${f}",
		"may 5 threads",
		"findings leaked-pin ?thread-surplus",
		"findings ?leaked-pin",
	} {
		if got := problems(t, ".", line); got != "" {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func TestProblems(t *testing.T) {
	for line, want := range map[string]string{
		"exit 1\nwant 3":                   "exit code 0, want 1",
		"json counts.exits = $exits":       "EXPECT:3: counts.exits is 25, want = 24 ($exits)",
		"json counts.none < 3":             "counts.none is null, want < 3",
		"json counts.exit = 25":            `there is no key "exit"`,
		"json counts.exits.n = 25":         "which is no object",
		"json counts.exits = $gone":        "the account has no key gone",
		"json counts.exits = $word+1":      "user and 1 are no numbers to calculate with",
		"json threads[lock=wedged].n = 1":  "selects nothing",
		"json threads[5].n = 1":            `"threads" has 2 elements`,
		"json threads.n = 2":               "threads.n is 3, want = 2",
		"json threads.lock+ = 2":           "user is no number to add up",
		"json name[0] = g":                 `"name" is no list`,
		"want 4 threads":                   "EXPECT:3: the text has nothing that matches 4 threads",
		"want ${gone}":                     "the account has no key gone",
		"never \\d threads":                `the text must not have, but has: "3 threads"`,
		"findings none":                    "findings: a leaked-pin; want none",
		"findings leaked-pin wedged-m0":    "no wedged-m0",
		"want the clock":                   "nobody expects the sentence: 3 threads stay locked",
		"want threads stay":                "nobody expects the sentence: the clock is slow",
		"findings leaked-pin\nnever wedge": "nobody expects the sentence: the clock is slow",
	} {
		if got := problems(t, "^nothing$", line); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	for _, lines := range []string{"want 3 threads", "may 3 threads"} {
		if got := problems(t, "^the clock", lines); got != "" {
			t.Errorf("%s: %s", lines, got)
		}
	}
}

// The files of this package have no mistakes, and say where their cases come from.
func TestFiles(t *testing.T) {
	readAll(t)
	readAnywhere(t)
}
