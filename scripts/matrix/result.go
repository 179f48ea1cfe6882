package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/scripts/matrix/plan"
)

// Names of the steps that are not a package's tests.
const (
	stepDemo   = "demo"
	stepDoctor = "doctor"
	stepRun    = "run"
)

// result is the outcome of one guest, read from its console.
type result struct {
	release string             // of the kernel; empty when init did not get that far
	exits   map[string]int     // by step; a step that did not end is absent
	tests   map[string]outcome // by "step TestName/subtest"
	host    map[string]bool    // the skipped tests that only this machine can run, named as in tests
	died    string             // the step that began and did not end; empty when all did
	demo    string             // the demo's counts, or what is wrong with it; empty when it did not end
	doctor  string             // ok, or what is wrong with the doctor; empty when it did not end
	printed string             // output of the command of -run
	ended   bool               // the guest shut down cleanly
	output  map[string]string  // by step
	ok      bool               // every step exited 0, the guest shut down cleanly, and demo and doctor are right
}

// outcome of one test, in the word go test prints.
type outcome string

const (
	passed  outcome = "PASS"
	failed  outcome = "FAIL"
	skipped outcome = "SKIP"
)

var (
	runLine  = regexp.MustCompile(`^=== (?:RUN|CONT|NAME)\s+(\S+)`)
	testLine = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+)`)
	// hostOnly matches a skip by internal/testenv for want of a program that no guest has. Such a
	// test runs in make test.
	hostOnly = regexp.MustCompile(`SKIPPED \(needs (bpftrace|perf|the go command|a C compiler):`)
	exitLine = regexp.MustCompile(`^KMATRIX exit=\d+$`)
	endLine  = regexp.MustCompile(`^KMATRIX end (\S+) exit=(\d+)$`)
)

// parseLog reads a guest's console. Any text is valid: the console of a guest that died early is
// short.
func parseLog(log string) result {
	r := result{exits: map[string]int{}, tests: map[string]outcome{}, host: map[string]bool{}, output: map[string]string{}}
	var step, test string
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\r\n")
		if name, ok := strings.CutPrefix(line, plan.Begin("")); ok {
			step = name
		} else if release, ok := strings.CutPrefix(line, plan.Kernel("")); ok {
			r.release = release
		} else if m := endLine.FindStringSubmatch(line); m != nil {
			r.exits[m[1]], _ = strconv.Atoi(m[2])
			step = ""
		} else if exitLine.MatchString(line) {
			r.ended, r.ok = true, line == plan.Exit(0)
		} else if step != "" {
			r.output[step] += line + "\n"
			if m := runLine.FindStringSubmatch(line); m != nil {
				test = step + " " + m[1]
			} else if m := testLine.FindStringSubmatch(line); m != nil {
				r.tests[step+" "+m[2]] = outcome(m[1])
			} else if hostOnly.MatchString(line) {
				r.host[test] = true
			}
		}
	}
	r.died = step
	r.printed = strings.TrimSpace(r.output[stepRun])
	if exit, ended := r.exits[stepDemo]; ended {
		var sane bool
		r.demo, sane = judgeDemo(exit, r.output[stepDemo])
		r.ok = r.ok && sane
	}
	if exit, ended := r.exits[stepDoctor]; ended {
		var sane bool
		r.doctor, sane = judgeDoctor(exit, r.output[stepDoctor])
		r.ok = r.ok && sane
	}
	return r
}

// count returns how many top-level tests had an outcome: a subtest is part of the test it stands
// in.
func (r result) count(o outcome) (n int) {
	for name, got := range r.tests {
		if got == o && !strings.Contains(name, "/") {
			n++
		}
	}
	return n
}

// judgeDemo reads the counts of the demo's JSON report. The demo's workload creates threads and
// lets them exit for as long as it runs, so a report of none is wrong even when the demo exits with
// 0.
func judgeDemo(exit int, output string) (verdict string, ok bool) {
	if exit != 0 {
		return fmt.Sprintf("exit %d", exit), false
	}
	var report struct {
		Counts struct {
			Created int64 `json:"threads_created"`
			Exited  int64 `json:"threads_exited"`
		} `json:"counts"`
		Loss struct {
			Total int64 `json:"total"`
		} `json:"loss"`
	}
	if err := decodeDocument(output, &report); err != nil {
		return err.Error(), false
	}
	c := report.Counts
	verdict = fmt.Sprintf("%d created, %d exited, %d lost", c.Created, c.Exited, report.Loss.Total)
	return verdict, c.Created > 0 && c.Exited > 0
}

// judgeDoctor checks that the doctor printed findings. They differ from kernel to kernel; there
// must be some, because a program that only prints its help exits 0 as well.
func judgeDoctor(exit int, output string) (verdict string, ok bool) {
	if exit != 0 {
		return fmt.Sprintf("exit %d", exit), false
	}
	var findings map[string]json.RawMessage
	if err := decodeDocument(output, &findings); err != nil {
		return err.Error(), false
	}
	if len(findings) == 0 {
		return "no findings", false
	}
	return "ok", true
}

// decodeDocument decodes the JSON object in a step's output, in which standard error comes before
// the document.
func decodeDocument(output string, v any) error {
	_, document, found := strings.Cut("\n"+output, "\n{")
	if !found {
		return errors.New("no report")
	}
	if err := json.NewDecoder(strings.NewReader("{" + document)).Decode(v); err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	return nil
}

// neverRan returns, sorted, the tests that every guest skipped for a reason that lies in the
// kernel. Such a test proves nothing on any of them, which would otherwise go unnoticed.
func neverRan(results []result) []string {
	ran := map[string]bool{}
	for _, r := range results {
		for name, o := range r.tests {
			ran[name] = ran[name] || o != skipped || r.host[name]
		}
	}
	var never []string
	for name, did := range ran {
		if !did {
			never = append(never, name)
		}
	}
	slices.Sort(never)
	return never
}
