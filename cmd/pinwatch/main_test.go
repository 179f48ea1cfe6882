package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// This file is shared by the tests of commands. A command's tests stand beside its file, and those
// of how a command ends in signals_test.go. Observations are compared with witnesses in
// internal/truth.

// asPinwatch makes the test binary run as pinwatch, for tests that need a separate process.
const asPinwatch = "PINWATCH_TEST_AS_PINWATCH"

// asRefused has the kernel refuse a system call to that process: its number, and where a comma follows, its
// first argument.
const asRefused = "PINWATCH_TEST_REFUSED"

func TestMain(m *testing.M) {
	if refused := os.Getenv(asRefused); refused != "" {
		var words []uint32
		for word := range strings.SplitSeq(refused, ",") {
			n, _ := strconv.ParseUint(word, 10, 32)
			words = append(words, uint32(n))
		}
		if err := testenv.RefuseCall(words[0], words[1:]...); err != nil {
			panic(err)
		}
	}
	if len(os.Args) > 1 && os.Args[1] == asAccount {
		printAccount()
	}
	if len(os.Args) > 1 && os.Args[1] == workloadCommand || os.Getenv(asPinwatch) != "" {
		main()
	}
	os.Exit(testenv.Main(m))
}

// pinwatch runs the program in this process.
func pinwatch(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), append([]string{"pinwatch"}, args...), strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// process makes a command that runs the program in a separate process.
func process(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), asPinwatch+"=1")
	return cmd
}

// parse reads a report, which must follow the schema and not contradict itself.
func parse(t *testing.T, text string) report.Report {
	t.Helper()
	if err := schematest.Check([]byte(text)); err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	for _, w := range r.Warnings {
		if strings.Contains(w, "contradict") {
			t.Error(w)
		}
	}
	return r
}

// wrong checks that a mistake gets one line on stderr that has all the given words, and nothing on
// stdout.
func wrong(t *testing.T, wantCode int, words []string, args ...string) {
	t.Helper()
	code, stdout, stderr := pinwatch(t, args...)
	if code != wantCode {
		t.Errorf("%q: exit code %d, want %d", args, code, wantCode)
	}
	if stdout != "" {
		t.Errorf("%q: printed %q", args, stdout)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "pinwatch: ") {
		t.Errorf("%q: want one line, got %q", args, stderr)
	}
	for _, word := range words {
		if !strings.Contains(stderr, word) {
			t.Errorf("%q: %q lacks %q", args, stderr, word)
		}
	}
}
