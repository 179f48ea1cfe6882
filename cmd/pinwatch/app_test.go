package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
)

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct{ args, words string }{
		{"attach", "-p PID"},
		{"attach -p", "needs an argument|-p"},
		{"attach -p x", `"x"|number`},
		{"attach -p 0", `"0"`},
		{"attach -p -5", `-5`},
		{"attach -p 99999999999", `"99999999999"`},
		{"attach -p 1 -d 0", `-d 0|more than zero`},
		{"attach -p 1 -d 0s", `-d 0s|more than zero`},
		{"attach -p 1 -d -3s", `-3s|more than zero`},
		{"attach -p 1 -d soon", `"soon"|for instance 10,`},
		{"attach -p 1 -d 10.5.1", `"10.5.1s"|seconds`},
		{"attach -p 1 -d inf", `"inf"|seconds`},
		{"attach -p 1 -d 999999h", `ten years`},
		{"attach -p 1 -i 1ms", `too short`},
		{"attach -p 1 -i never", `"never"`},
		{"attach -p 1 -o yaml", `yaml|text, json or ndjson`},
		{"attach -p 1 --ring-size many", `"many"`},
		{"attach -p 1 --ring-size 1", `4K`},
		{"attach -p 1 --ring-size 99G", `1G`},
		{"attach -p 1 --thread-entries 0", `power of two`},
		{"attach -p 1 --thread-entries 3", `power of two`},
		{"attach -p 1 --thread-entries -4", `power of two`},
		{"attach -p 1 --thread-entries 8388608", `4194304`},
		{"attach -p 1 --max-rate fast", `"fast"`},
		{"attach -p 1 --max-rate 7", `100`},
		{"attach -p 1 --go-version new", `"new"|release of Go, such as go1.26.8`},
		{"attach -p 1 --no-such-flag", `no-such-flag`},
		{"attach -p 1 --durration 5", `--durration|did you mean --duration?`},
		{"attach -p 1 --time-unit min", `min|us, ms, ns or s`},
		{"attach -p 1 --fail-on info", `info|warn, loss, error`},
		{"attach -p 1 --color red", `red|auto, always or never`},
		{"attach 1 2", `one PID|"2"`},
		{"attach -d 1 renderd", `"renderd"|number`},
		{"threads x", `"x"|number`},
		{"attach -p 1 2", `one PID|"2"`},
		{"attach -p 1 -x", `no flag -x;|pinwatch attach --help`},
		{"demo -d x", `"x"`},
		{"atach", "atach|did you mean attach?"},
		{"doctor -o xml", "xml"},
		{"completion tcsh", "bash, zsh or fish"},
		{"vet -o xml", `xml|text or json`},
		{"vet --skip nothing", `"nothing"|comment`},
		{"vet ./... --fix", `--fix|before the packages`},
	} {
		wrong(t, exitUsage, strings.Split(c.words, "|"), strings.Fields(c.args)...)
	}
}

func TestHelpNamesEverything(t *testing.T) {
	code, stdout, _ := pinwatch(t, "--help")
	for _, word := range []string{
		"attach", "threads", "demo", "vet", "doctor", "version", "completion", "Exit codes", "sudo pinwatch attach -p",
	} {
		if code != exitOK || !strings.Contains(stdout, word) {
			t.Errorf("exit code %d, help without %q", code, word)
		}
	}
	for _, how := range []string{"version", "--version"} {
		if code, stdout, _ := pinwatch(t, how); code != exitOK || !strings.HasPrefix(stdout, "pinwatch ") {
			t.Errorf("%s: %d, %q", how, code, stdout)
		}
	}
}

// TestThreadsHelp: the help has every word that the list prints of a thread's goroutine.
func TestThreadsHelp(t *testing.T) {
	code, stdout, _ := pinwatch(t, "threads", "--help")
	for _, word := range []string{`"in a call"`, "in C:", "runs;", "parked:", "idle:", "ended:"} {
		if code != exitOK || !strings.Contains(stdout, word) {
			t.Errorf("exit code %d, help without %s", code, word)
		}
	}
}

// TestOnlyWorkloadsWaitInInit: the variable that makes a workload wait in its initialization has no
// effect on the commands of pinwatch.
func TestOnlyWorkloadsWaitInInit(t *testing.T) {
	for _, command := range []string{"version", "completion bash"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "/proc/self/exe", strings.Fields(command)...)
		cmd.Env = append(os.Environ(), asPinwatch+"=1", workload.InitVariable+"=hold")
		stdin, err := cmd.StdinPipe() // nothing is written to it
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		if out, err := cmd.Output(); err != nil || strings.Contains(string(out), "ready") {
			t.Errorf("%s: %v, printed %q", command, err, out)
		}
	}
}

// The manual page has every command and every flag that the help has.
func TestManualPage(t *testing.T) {
	code, page, stderr := pinwatch(t, "man")
	if code != exitOK || !strings.HasPrefix(page, ".nh\n.TH pinwatch 1") {
		t.Fatalf("exit code %d: %s%.100q", code, stderr, page)
	}
	page = strings.ReplaceAll(page, "\\", "")
	for _, c := range newApp(streams{look: &look{}}).VisibleCommands() {
		if !strings.Contains(page, ".SH "+c.Name+"\n") {
			t.Errorf("no section on %s", c.Name)
		}
		for _, f := range c.VisibleFlags() {
			if name := f.Names()[0]; name != "help" && !strings.Contains(page, "--"+name) {
				t.Errorf("%s: no flag --%s", c.Name, name)
			}
		}
	}
	for _, line := range []string{"\npinwatch explain p99  ", "\nsudo pinwatch attach -p 4242 -d 10  "} {
		if !strings.Contains(page, line) {
			t.Errorf("no line %q of its own", line)
		}
	}
}

// A word that is no command, flag, statement or word of the report gets the nearest.
func TestDidYouMean(t *testing.T) {
	for _, c := range []struct{ args, words string }{
		{"explain p-88", "P-8"}, {"explain leaked-pinn", "leaked-pin"}, {"explain unlcok", "unlock"},
		{"explain p9999", "p99"}, {"thread", "threads"}, {"doctro", "doctor"}, {"demo --site", "--sites"},
	} {
		wrong(t, exitUsage, []string{"did you mean", c.words}, strings.Fields(c.args)...)
	}
	for _, args := range []string{"frobnicate", "foo bar", "explain qqqqqq", "attach --qqqqqq"} { // like nothing
		code, _, stderr := pinwatch(t, strings.Fields(args)...)
		if code != exitUsage || strings.Contains(stderr, "did you mean") {
			t.Errorf("%s: exit code %d: %s", args, code, stderr)
		}
	}
	for _, args := range []string{"help", "help attach"} {
		code, out, stderr := pinwatch(t, strings.Fields(args)...)
		if code != exitOK || !strings.Contains(out, "USAGE") ||
			strings.Contains(args, "attach") != strings.Contains(out, "--ring-size") {
			t.Errorf("%s: exit code %d: %s%s", args, code, out, stderr)
		}
	}
	if code, out, _ := pinwatch(t, "explain", "wake", "a", "pinned", "goroutine"); code != exitOK ||
		!strings.Contains(out, "X-handoff") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
