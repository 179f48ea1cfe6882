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
		{"attach -p 1 -d soon", `"soon"|for instance 10s`},
		{"attach -p 1 -d 10", `"10"|unit`},
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
		{"attach -p 1 2", `no arguments`},
		{"demo -d x", `"x"`},
		{"atach", "atach"},
		{"doctor -o xml", "xml"},
		{"completion fish", "bash or zsh"},
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
	if code, stdout, _ := pinwatch(t, "version"); code != exitOK || !strings.HasPrefix(stdout, "pinwatch ") {
		t.Errorf("version: %d, %q", code, stdout)
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
