package main

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

const exampleReport = "../../internal/report/text/testdata/examples/report.json"

// budgets writes a file of budgets.
func budgets(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pinwatch.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCheckExitCodes(t *testing.T) {
	for text, want := range map[string]int{
		"threads: 9\n":                  exitOK,
		"threads: 8\n":                  exitContract,
		"P-5.send.p50: <= 1s\n":         exitInconclusive,
		"threads: 9\nP-5.send.p50: 0\n": exitInconclusive,
		"threads: 8\nP-5.send.p50: 0\n": exitContract,
		"thread: 8\n":                   exitError,
		"threads: [\n":                  exitError,
	} {
		file := budgets(t, text)
		for _, format := range []string{"text", "json", "github"} {
			t.Setenv("GITHUB_STEP_SUMMARY", "")
			code, stdout, stderr := pinwatch(t, "check", "--budget", file, "-o", format, exampleReport)
			if code != want {
				t.Errorf("%q, %s: exit code %d, want %d: %s", text, format, code, want, stderr)
			}
			switch {
			case code == exitError && !strings.HasPrefix(stderr, file+":"):
				t.Errorf("%q: %s", text, stderr)
			case code == exitError && format == "github" && !strings.HasPrefix(stdout, "::error file="+file+",line="):
				t.Errorf("%q: %s", text, stdout)
			case code != exitError && format == "json":
				if err := schematest.CheckCheck([]byte(stdout)); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// Everything that is written about a broken and an undecided budget.
func TestCheckOutputs(t *testing.T) {
	dir := t.TempDir()
	file := budgets(t, "threads: 9\nP-5.send.p50: <= 1s\nP-8.total.p99: <= 80us\n")
	step, junit, out := filepath.Join(dir, "step.md"), filepath.Join(dir, "junit.xml"), filepath.Join(dir, "out.txt")
	if err := os.WriteFile(step, []byte("before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GITHUB_STEP_SUMMARY", step)
	_, stdout, _ := pinwatch(t, "check", "--budget", file, "-o", "github", "--junit", junit, exampleReport)
	if want := "::error file=" + file + ",line=3,col=1,title=pinwatch%3A broken::P-8.total.p99 is 3.95 ms, " +
		"the budget <= 80us: beyond it by 3.87 ms (4836 %25)\n" +
		"::warning file=" + file + ",line=2,col=1,title=pinwatch%3A undecided::P-5.send.p50 is not known, " +
		"the budget <= 1s: it can't be told (no sample)\n" +
		"pinwatch: 1 budget broken, 1 undecided, 1 held\n"; stdout != want {
		t.Errorf("got:\n%swant:\n%s", stdout, want)
	}
	text, err := os.ReadFile(step)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); !strings.HasPrefix(got, "before\n### pinwatch check: 1 budget broken") ||
		!strings.Contains(got, "| broken | P-8.total.p99 | 3.95 ms | &lt;= 80us | 3.87 ms (4836 %) |  |\n") {
		t.Error(got)
	}
	text, err = os.ReadFile(junit)
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Errors   int `xml:"errors,attr"`
			Cases    []struct {
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &suites); err != nil {
		t.Fatal(err)
	}
	if s := suites.Suite; s.Tests != 3 || s.Failures != 1 || s.Errors != 1 || len(s.Cases) != 3 ||
		s.Cases[0].Failure == nil || s.Cases[1].Error == nil {
		t.Errorf("%s", text)
	}
	if code, stdout, _ := pinwatch(t, "check", "--budget", file, "--out", out, exampleReport); code != 3 || stdout != "" {
		t.Errorf("exit code %d, %q", code, stdout)
	}
	if text, err = os.ReadFile(out); err != nil || !strings.Contains(string(text), " broken    P-8.total.p99 ") {
		t.Errorf("%v, %s", err, text)
	}
}

// What --init makes holds, and no file is replaced.
func TestCheckInit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pinwatch.yaml")
	if code, _, stderr := pinwatch(t, "check", "--init", "--budget", file, exampleReport); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if code, stdout, _ := pinwatch(t, "check", "--budget", file, exampleReport); code != exitOK {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	wrong(t, exitError, []string{"--init", file, "exists"}, "check", "--init", "--budget", file, exampleReport)
	wrong(t, exitError, []string{"no such file", "--init"}, "check", "--budget", file+"x", exampleReport)
}

func TestCheckMistakes(t *testing.T) {
	file := budgets(t, "threads: 9\n")
	wrong(t, exitUsage, []string{"want one of"}, "check")
	wrong(t, exitUsage, []string{"want one of"}, "check", "a.json", "b.json")
	wrong(t, exitUsage, []string{"want one of"}, "check", "-p", "1", "a.json")
	wrong(t, exitUsage, []string{"want one of"}, "check", "-p", "1", "--", "true")
	wrong(t, exitUsage, []string{"-o yaml", "text, json or github"}, "check", "-o", "yaml", "a.json")
	wrong(t, exitUsage, []string{"want the PID"}, "check", "--budget", file, "-p", "x")
	wrong(t, exitUsage, []string{"only flags"}, "check", "--budget", file, "a.json", "--", "true")
	wrong(t, exitUsage, []string{"no flag --budgets", "--budget"}, "check", "--budgets", file)
	wrong(t, exitError, []string{"none.json"}, "check", "--budget", file, "none.json")
	wrong(t, exitError, []string{"no report of pinwatch"}, "check", "--budget", file, file)
	wrong(t, exitError, []string{"standard input", "empty"}, "check", "--budget", file, "-")
	wrong(t, exitError, []string{"--junit"}, "check", "--budget", file, "--junit", "/none/x", "--out", os.DevNull,
		exampleReport)
}

// A command is observed from its first instruction. Its exit code comes before that of its budgets.
func TestCheckCommand(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	for _, c := range []struct {
		budget string
		args   []string // of a program that runs as pinwatch, too
		code   int
		want   string
	}{
		{"threads_exited_locked: 0\nP-8.clone_syscall.n: \">= 1\"\n", []string{"version"}, exitOK,
			" held      P-8.clone_syscall.n "},
		{"threads_created: 0\n", []string{"version"}, exitContract, " broken    threads_created "},
		{"threads_exited_locked: 0\n", []string{asAccount}, accountExit, " broken    threads_exited_locked "},
		{"P-8.total.p999: <= 1s\n", []string{"version"}, exitInconclusive, "and p999 takes 2995"},
	} {
		cmd := process(append([]string{"check", "--budget", budgets(t, c.budget), "--", program(t)}, c.args...)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if code := exitCode(t, cmd.Run()); code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%q: exit code %d, want %d: %s", c.budget, code, c.code, &stderr)
		}
		if stdout.Len() == 0 || strings.Contains(stdout.String(), "budget") {
			t.Errorf("standard output is not the command's alone: %q", &stdout)
		}
	}
	file := budgets(t, "no: budget\n")
	mark := filepath.Join(t.TempDir(), "x")
	cmd := process("check", "--init", "--budget", mark, "--", program(t), asAccount)
	if code := exitCode(t, cmd.Run()); code != accountExit {
		t.Errorf("exit code %d, want the command's", code)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a command that failed made budgets")
	}
	if code := exitCode(t, process("check", "--budget", file, "--", program(t), asAccount).Run()); code != exitError {
		t.Errorf("exit code %d: the command was run, though the budgets are none", code)
	}
}

// A process is observed as by attach.
func TestCheckProcess(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	child, err := startWorkload(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := child.End(); err != nil {
			t.Error(err)
		}
	}()
	pid := strconv.Itoa(child.PID)
	file := filepath.Join(t.TempDir(), "pinwatch.yaml")
	if code, _, stderr := pinwatch(t, "check", "--init", "--budget", file, "-p", pid, "-d", "1"); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), "\nP-8.clone_syscall.p50: <= ") {
		t.Errorf("%v\n%s", err, text)
	}
	file = budgets(t, "threads_exited_locked: 0\n")
	code, stdout, stderr := pinwatch(t, "check", "--budget", file, "-p", pid, "-d", "1")
	if code != exitContract || !strings.Contains(stdout, "process "+pid+" against ") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}
