package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// Where the kernel refuses what run needs, one line says so, and the command is not run.
func TestRunRefused(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Shell)
	for _, tt := range []struct{ refused, want string }{
		{fmt.Sprint(unix.SYS_PTRACE), "ptrace(2) is refused (operation not permitted), by a seccomp filter"},
		{fmt.Sprint(unix.SYS_PTRACE, ",", unix.PTRACE_SETOPTIONS), "ptrace(2) is refused (operation not permitted)"},
		{fmt.Sprint(unix.SYS_PTRACE, ",", unix.PTRACE_DETACH), "let the command go: operation not permitted"},
		{fmt.Sprint(unix.SYS_BPF), "refused: a seccomp filter, as those of containers, may forbid bpf(2)"},
	} {
		mark := filepath.Join(t.TempDir(), "began")
		cmd := process("run", "-q", "--out", filepath.Join(t.TempDir(), "report"), "--", "touch", mark)
		cmd.Env = append(cmd.Env, asRefused+"="+strings.ReplaceAll(tt.refused, " ", ""))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stuck := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		if code := exitCode(t, cmd.Wait()); code != exitRunFailed {
			t.Errorf("%s: exit code %d, want %d", tt.refused, code, exitRunFailed)
		}
		stuck.Stop()
		text := stderr.String()
		if strings.Count(text, "\n") != 1 || !strings.Contains(text, tt.want) {
			t.Errorf("%s: want one line with %q, got %q", tt.refused, tt.want, text)
		}
		if _, err := os.Stat(mark); err == nil {
			t.Errorf("%s: it was run", tt.refused)
		}
	}
}
