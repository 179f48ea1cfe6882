package text_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

func render(t *testing.T, r *report.Report, o text.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := text.WriteReport(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var whole = text.Options{Verbose: true}

// The whole report, and the first screen of it.
func TestTextGolden(t *testing.T) {
	for name, r := range reporttest.Reports() {
		t.Run(name, func(t *testing.T) {
			testenv.Golden(t, "testdata/"+name+".golden", []byte(render(t, r, whole)))
			testenv.Golden(t, "testdata/"+name+".screen.golden", []byte(render(t, r, text.Options{})))
		})
	}
}

func TestTextWidth(t *testing.T) {
	for name, r := range reporttest.Reports() {
		for _, width := range []int{1, 2, 7, 12, 20, 40, 60, 80, 99, 100, 160, 200, 300} {
			for _, o := range []text.Options{{}, whole, {ASCII: true}, {Unit: "us"}} {
				o.Width = width
				for l := range strings.Lines(render(t, r, o)) {
					if n := utf8.RuneCountInString(strings.TrimSuffix(l, "\n")); n > width {
						t.Errorf("%s: %d columns in a page of %d: %q", name, n, width, l)
					}
				}
			}
		}
	}
}

// At the default width only names that the target chose are cut.
func TestTextIsWholeAt100(t *testing.T) {
	for name, r := range reporttest.Reports() {
		for l := range strings.Lines(render(t, r, whole)) {
			if strings.HasSuffix(l, "…\n") && !strings.Contains(l, ",") {
				t.Errorf("%s: cut line %q", name, l)
			}
		}
	}
}

var escape = regexp.MustCompile("\x1b\\[[0-9]+m")

// Colour adds escapes and nothing else, and only on request.
func TestColor(t *testing.T) {
	for name, r := range reporttest.Reports() {
		without := render(t, r, text.Options{})
		with := render(t, r, text.Options{Color: true})
		if strings.Contains(without, "\x1b") {
			t.Errorf("%s: escape sequence in a report without colour", name)
		}
		if with == without {
			t.Errorf("%s: colour changes nothing", name)
		}
		trim := regexp.MustCompile(`(?m) +$`)
		if got := trim.ReplaceAllString(escape.ReplaceAllString(with, ""), ""); got != without {
			t.Errorf("%s: without its escapes the coloured report differs:\n%s", name, got)
		}
	}
}

// Every verdict of a lossy run has a question mark in the text.
func TestLossyRunNeverPasses(t *testing.T) {
	got := render(t, report.New(reporttest.Meta(), reporttest.Lossy()), whole)
	if !strings.Contains(got, "LOSSY RUN") || !strings.Contains(got, "13,026 records lost") {
		t.Errorf("the losses are missing:\n%s", got)
	}
	if bad := regexp.MustCompile(`(?m)^★.*\b(in|above|below) +[0-9].*$`).FindAllString(got, -1); bad != nil {
		t.Errorf("verdicts without a question mark: %q", bad)
	}
	for _, v := range report.New(reporttest.Meta(), reporttest.Lossy()).Verdicts {
		if v.Holds {
			t.Errorf("%s: verdict %q holds in a lossy run", v.Statement, v.Verdict)
		}
	}
}

func TestLine(t *testing.T) {
	var b bytes.Buffer
	if err := text.WriteLineHeader(&b, text.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rich", "idle", "lossy", "crowd", "empty"} {
		if err := text.WriteLine(&b, reporttest.Reports()[name], text.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	testenv.Golden(t, "testdata/lines.golden", b.Bytes())
	for _, width := range []int{20, 60, 80, 100, 200} { // what is left out, is left out of header and lines
		var b bytes.Buffer
		o := text.Options{Width: width}
		if err := errors.Join(text.WriteLineHeader(&b, o), text.WriteLine(&b, reporttest.Reports()["rich"], o)); err != nil {
			t.Fatal(err)
		}
		header, line, _ := strings.Cut(strings.TrimSuffix(b.String(), "\n"), "\n")
		if h, l := utf8.RuneCountInString(header), utf8.RuneCountInString(line); h != l || h > width {
			t.Errorf("width %d: header of %d columns, line of %d", width, h, l)
		}
	}
}

// The first screen has a line for each function that pins, the whole report one for each thread.
func TestManyLockedThreads(t *testing.T) {
	res := &correlate.Result{Start: 0, End: 1e9}
	for i := range 50 {
		res.Threads = append(res.Threads, correlate.Thread{TID: int32(1000 + i),
			Handoff: correlate.Handoff{N: uint64(i), WakeNS: int64(i), CPUNS: int64(i)},
			Lock: correlate.ThreadLock{State: "user", Ext: 1, MaxExt: 1, GoID: uint64(i + 1), Parked: i > 0,
				Entry: fmt.Sprintf("main.f%d", i%7), Sites: []string{"main.f (f.go:1)"}}})
		res.Sites = append(res.Sites, correlate.Site{Function: "main.f", File: "/f.go", Line: 1, Calls: 1})
	}
	r := report.New(report.Meta{}, res)
	short, long := render(t, r, text.Options{}), render(t, r, whole)
	for _, want := range []string{"2 more functions: -v", "45 more callers: -v", "       8 main.f0 ",
		"parked 7, in use 1"} {
		if !strings.Contains(short, want) {
			t.Errorf("no %q in\n%s", want, short)
		}
	}
	if got := strings.Count(long, "at main.f (f.go:1)"); got != 50 {
		t.Errorf("--verbose lists %d of 50 locked threads", got)
	}
}

// broken refuses every write, as a closed pipe does.
type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteErrors(t *testing.T) {
	r := reporttest.Reports()["idle"]
	for name, err := range map[string]error{
		"report":   text.WriteReport(broken{}, r, text.Options{}),
		"line":     text.WriteLine(broken{}, r, text.Options{}),
		"header":   text.WriteLineHeader(broken{}, text.Options{}),
		"threads":  text.WriteThreadList(broken{}, reporttest.Lists()["threads_c"], text.ListOptions{}),
		"verdicts": text.WriteVerdicts(broken{}, []*report.Verdicts{reporttest.Verdicts(t)}, text.Options{}),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: %v does not wrap the writer's error", name, err)
		}
	}
}

// TestNoTopology: where the machine does not describe its CPUs, the report has a sentence and no numbers
// of migrations by distance.
func TestNoTopology(t *testing.T) {
	r := reporttest.Reports()["rich"]
	for _, known := range []bool{true, false} {
		r.Moves.DistanceKnown = known
		page := strings.Join(strings.Fields(render(t, r, whole)), " ")
		const why = "how far is not known: this machine does not describe its caches and cores " +
			"(/sys/devices/system/cpu/cpu*/cache, which a hypervisor may leave empty)"
		if strings.Count(page, why) != map[bool]int{false: 1}[known] || strings.Contains(page, "how far: ") != known ||
			strings.Contains(page, "llc") != known {
			t.Errorf("known %t: %s", known, page)
		}
	}
}

// Where the process runs stands below its name, as far as it is known.
func TestContainer(t *testing.T) {
	id, name, uid := strings.Repeat("0123456789abcdef", 4), "web/server", "8d0b2e9c-0000-4000-8000-000000000001"
	r := report.New(reporttest.Meta(), reporttest.Rich())
	r.Target.Container = &report.Container{ID: &id, Name: &name, PodUID: &uid}
	const want = "\n            container web/server · id 0123456789ab · pod uid 8d0b2e9c-0000-4000-8000-000000000001\n"
	for _, o := range []text.Options{{}, {Verbose: true}} {
		if got := render(t, r, o); !strings.Contains(got, want) {
			t.Errorf("%+v: no %q in\n%s", o, want, got)
		}
	}
}
