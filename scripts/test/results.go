package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/scripts/packages"
)

// Outcomes of a test or a package, as go test -json names them.
const (
	passed  = "pass"
	failed  = "fail"
	skipped = "skip"
)

// results are the outcomes of one run. A test is named PACKAGE TestName/subtest, without the
// module's path, after the race detector with "race: " before it.
type results struct {
	w        io.Writer
	env      []string       // of go test; nil = this process's
	prefix   string         // of names, in the go test that runs
	counts   map[string]int // top-level tests by outcome
	failures []string       // names of tests, packages and steps that failed
	skips    []string       // "name: reason"
	unjudged []string       // "name: reason" of tests that passed without a judgement
	times    []testTime
}

type testTime struct {
	name string
	took time.Duration
}

// event is one line of go test -json: go doc test2json. Lines of a build have an ImportPath in
// place of a Package.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64 // seconds
}

// packageOutput is the output of a package, by test; that of no test is under "".
type packageOutput struct {
	order []string
	text  map[string]string
	ended map[string]string // outcome
}

func (r *results) passed() bool { return len(r.failures) == 0 }

// fail records a failure outside any test.
func (r *results) fail(name string, err error) {
	fmt.Fprintf(r.w, "FAIL\t%s: %v\n", name, err)
	r.failures = append(r.failures, name)
	r.count(failed)
}

func (r *results) skip(name, reason string) {
	r.skips = append(r.skips, name+": "+reason)
}

func (r *results) count(outcome string) {
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	r.counts[outcome]++
}

// goTest runs the tests of some packages and reads their events.
func (r *results) goTest(ctx context.Context, title string, args, packages []string) {
	fmt.Fprintf(r.w, "\n%s:\n", title)
	r.prefix = ""
	if slices.Contains(args, "-race") {
		r.prefix = "race: "
	}
	cmd := command(ctx, "go", slices.Concat([]string{"test"}, flags, args, packages)...)
	cmd.Env, cmd.Stderr = r.env, r.w
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.fail(title, err)
		return
	}
	before := len(r.failures)
	r.read(stdout)
	if err := cmd.Wait(); err != nil && len(r.failures) == before {
		r.fail(title, err)
	}
}

// read reads events to their end. Packages run in parallel, so lines of several are mixed.
func (r *results) read(stdout io.Reader) {
	running := map[string]*packageOutput{}
	for lines := bufio.NewReader(stdout); ; {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) != nil {
			_, _ = r.w.Write(line) // of the go command itself
		} else if e.Action == "build-output" {
			fmt.Fprint(r.w, e.Output)
		} else if e.Package != "" {
			p := running[e.Package]
			if p == nil {
				p = &packageOutput{text: map[string]string{}, ended: map[string]string{}}
				running[e.Package] = p
			}
			r.event(p, e)
		}
		if err != nil {
			return
		}
	}
}

func (r *results) event(p *packageOutput, e event) {
	switch e.Action {
	case "start", "run":
		p.order = append(p.order, e.Test)
	case "output":
		p.text[e.Test] += e.Output
	case passed, failed, skipped:
		name := r.prefix + strings.TrimPrefix(e.Package, packages.Module+"/")
		if e.Test == "" {
			r.endPackage(p, name, e)
			return
		}
		p.ended[e.Test] = e.Action
		r.endTest(name+" "+e.Test, p.text[e.Test], e)
	}
}

// reasonLine is a line that a test logged; notJudged is the one of a test that could not judge on a
// busy machine.
var (
	reasonLine = regexp.MustCompile(`(?m)^ +\S+\.go:\d+: (.*)$`)
	notJudged  = regexp.MustCompile(`(?m)^.*(not judged: .*)$`)
)

func (r *results) endTest(name, text string, e event) {
	if !strings.Contains(e.Test, "/") {
		if e.Action != skipped { // r.skips counts them, with those of subtests
			r.count(e.Action)
		}
		r.times = append(r.times, testTime{name, time.Duration(e.Elapsed * float64(time.Second))})
	}
	switch e.Action {
	case failed:
		r.failures = append(r.failures, name)
	case skipped:
		reason := "no reason given"
		if lines := reasonLine.FindAllStringSubmatch(text, -1); lines != nil {
			reason = lines[len(lines)-1][1]
		}
		r.skips = append(r.skips, name+": "+reason)
	case passed:
		if m := notJudged.FindStringSubmatch(text); m != nil {
			r.unjudged = append(r.unjudged, name+": "+m[1])
		}
	}
}

// endPackage prints a package's line. If the package failed, it also prints the output of tests
// that failed or did not end, and output of no test.
func (r *results) endPackage(p *packageOutput, name string, e event) {
	if e.Action != failed {
		if len(p.order) > 1 { // a test ran
			fmt.Fprintf(r.w, "ok\t%s\t%.1f s\n", name, e.Elapsed)
		}
		return
	}
	testFailed := false
	for _, test := range p.order {
		switch outcome := p.ended[test]; {
		case test == "":
			continue
		case outcome == "":
			r.failures = append(r.failures, name+" "+test)
			r.count(failed)
		case outcome != failed:
			continue
		}
		testFailed = true
		fmt.Fprint(r.w, p.text[test])
	}
	fmt.Fprint(r.w, p.text[""])
	if !testFailed {
		r.failures = append(r.failures, name)
		r.count(failed)
	}
	fmt.Fprintf(r.w, "FAIL\t%s\t%.1f s\n", name, e.Elapsed)
}

// summarize prints what was not tested and why, what failed, and the counts.
func (r *results) summarize() {
	r.printList("not judged", r.unjudged)
	r.printList("SKIPPED, so not tested here", r.skips)
	if len(r.skips) > 0 && os.Getuid() != 0 {
		fmt.Fprintln(r.w, `  (kernel tests need privileges: sudo env PATH="$PATH" make test)`)
	}
	r.printList("FAILED", r.failures)
	fmt.Fprintf(r.w, "\n%d passed, %d failed, %d skipped\n", r.counts[passed], r.counts[failed], len(r.skips))
}

func (r *results) printList(title string, list []string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(r.w, "\n%s:\n", title)
	for _, line := range list {
		fmt.Fprintln(r.w, "  "+line)
	}
}

// printSlowest lists the n slowest top-level tests.
func (r *results) printSlowest(w io.Writer, n int) {
	slices.SortStableFunc(r.times, func(a, b testTime) int { return cmp.Compare(b.took, a.took) })
	for _, t := range r.times[:min(n, len(r.times))] {
		fmt.Fprintf(w, "%6.1f s  %s\n", t.took.Seconds(), t.name)
	}
}
