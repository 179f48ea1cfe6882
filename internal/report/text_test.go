package report_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// reports are the windows that every format is tested on.
func reports() map[string]*report.Report {
	refused := meta()
	refused.Findings = nil
	refused.Observer = report.Observer{Hooks: map[string]string{"clone": "fentry", "tgkill": "fentry", "sched_switch": "tp_btf"}}
	refused.Warnings = []string{"BPF statistics need CAP_SYS_ADMIN: the cost of observing is not known"}

	unwatched := meta()
	unwatched.Findings = nil
	unwatched.Observer.Hooks = map[string]string{"clone": "off", "tgkill": "off", "sched_switch": "tp_btf"}

	mixed := meta()
	mixed.Observer.Hooks = map[string]string{"clone": "fentry", "tgkill": "tracepoint", "sched_switch": "tp_btf"}

	quiet := meta()
	quiet.Findings = nil

	bare := report.Meta{Version: "devel", Host: host.Info{Arch: "arm64", Virtualization: "unknown"}, Target: report.Target{PID: 1}}

	dying := meta()
	dying.Findings = nil
	dying.Target.Ended = ptr("killed by signal 9")
	dying.Target.Cgo = ptr(true)
	dying.Observer.Hooks = nil
	dying.Observer.Programs = []report.Program{{Name: "sched_switch"}}

	return map[string]*report.Report{
		"rich":    report.New(meta(), rich()),
		"idle":    report.New(quiet, idle()),
		"lossy":   report.New(meta(), lossy()),
		"refused": report.New(refused, uncalibrated()),
		"light":   report.New(unwatched, light()),
		"mixed":   report.New(mixed, idle()),
		"calm":    report.New(quiet, lossy()),
		"crowd":   report.New(dying, crowd()),
		"empty":   report.New(bare, &correlate.Result{}),
	}
}

func text(t *testing.T, r *report.Report, o report.TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteText(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextGolden(t *testing.T) {
	for name, r := range reports() {
		t.Run(name, func(t *testing.T) {
			testenv.Golden(t, "testdata/"+name+".golden", []byte(text(t, r, report.TextOptions{})))
		})
	}
}

// TestVerboseGolden: --verbose shows every population and every stack that is in no class.
func TestVerboseGolden(t *testing.T) {
	testenv.Golden(t, "testdata/verbose.golden", []byte(text(t, reports()["rich"], report.TextOptions{Verbose: true})))
}

func TestTextWidth(t *testing.T) {
	for name, r := range reports() {
		for _, width := range []int{1, 20, 40, 60, 80, 99, 100, 160} {
			for l := range strings.Lines(text(t, r, report.TextOptions{Width: width})) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(l, "\n")); n > width {
					t.Errorf("%s: %d columns in a page of %d: %q", name, n, width, l)
				}
			}
		}
	}
}

// TestTextIsWholeAt100: at the default width nothing is cut but what the target named.
func TestTextIsWholeAt100(t *testing.T) {
	for name, r := range reports() {
		for l := range strings.Lines(text(t, r, report.TextOptions{})) {
			if strings.HasSuffix(l, "…\n") && !strings.Contains(l, ",") {
				t.Errorf("%s: cut line %q", name, l)
			}
		}
	}
}

var escape = regexp.MustCompile("\x1b\\[[0-9]+m")

// TestColor: colour adds escapes and nothing else, and there is none unless asked for.
func TestColor(t *testing.T) {
	for name, r := range reports() {
		without := text(t, r, report.TextOptions{})
		with := text(t, r, report.TextOptions{Color: true})
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

// TestLossyRunNeverPasses: no verdict of a lossy run stands in text without its question mark.
func TestLossyRunNeverPasses(t *testing.T) {
	got := text(t, report.New(meta(), lossy()), report.TextOptions{})
	if !strings.Contains(got, "LOSSY RUN") || !strings.Contains(got, "13,026 records lost") {
		t.Errorf("the losses are not said:\n%s", got)
	}
	if bad := regexp.MustCompile(`(?m)^★.*\b(in|above|below) +[0-9].*$`).FindAllString(got, -1); bad != nil {
		t.Errorf("verdicts without a question mark: %q", bad)
	}
	for _, v := range report.New(meta(), lossy()).Verdicts {
		if v.Holds {
			t.Errorf("%s: verdict %q holds in a lossy run", v.Statement, v.Verdict)
		}
	}
}

func TestLine(t *testing.T) {
	var b bytes.Buffer
	if err := report.WriteLineHeader(&b); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rich", "idle", "lossy", "crowd", "empty"} {
		if err := report.WriteLine(&b, reports()[name]); err != nil {
			t.Fatal(err)
		}
	}
	testenv.Golden(t, "testdata/lines.golden", b.Bytes())
}

// TestManyLockedThreads: the text lists the most often woken and says how many more there are; --verbose lists all.
func TestManyLockedThreads(t *testing.T) {
	res := &correlate.Result{Start: 0, End: 1e9}
	for i := range 50 {
		res.Threads = append(res.Threads, correlate.Thread{TID: int32(1000 + i), Handoff: correlate.Handoff{N: uint64(i), WakeNS: int64(i), CPUNS: int64(i)},
			Lock: correlate.ThreadLock{State: "user", Ext: 1, MaxExt: 1, GoID: uint64(i + 1), Sites: []string{"main.f (f.go:1)"}}})
		res.Sites = append(res.Sites, correlate.Site{Function: "main.f", File: "/f.go", Line: 1, Calls: 1})
	}
	r := report.New(report.Meta{}, res)
	short, long := text(t, r, report.TextOptions{}), text(t, r, report.TextOptions{Verbose: true})
	for _, want := range []string{"30 more locked threads: --verbose lists all", "40 more sites: --verbose lists all", "\n    1049    –      50 "} {
		if !strings.Contains(short, want) {
			t.Errorf("no %q in\n%s", want, short)
		}
	}
	if got := strings.Count(long, "at main.f (f.go:1)"); got != 50 || strings.Contains(long, "--verbose") {
		t.Errorf("--verbose lists %d of 50 locked threads", got)
	}
}
