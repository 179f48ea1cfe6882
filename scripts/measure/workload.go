// Package measure is what the scripts that measure share: they start a workload and an observer, read what the kernel says of
// both, and put tables into documents.
package measure

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pinwatch/pinwatch/internal/workload"
)

// Workload is a running workload of internal/workload.
type Workload struct {
	PID int

	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

// BuildWorkload builds the workload command below dir and returns its path.
func BuildWorkload(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "workload")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./internal/workload/cmd/workload")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the workload: %w: %s", err, bytes.TrimSpace(out))
	}
	return path, nil
}

// StartWorkload starts the program at path and returns when it is set up. It ends with ctx at the latest.
func StartWorkload(ctx context.Context, path string, args ...string) (*Workload, error) {
	w := &Workload{cmd: exec.CommandContext(ctx, path, args...)}
	w.cmd.Stderr = &w.stderr
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us alone
	var err error
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	w.out = bufio.NewReader(stdout)
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	var ready workload.Ready
	if err := w.read(&ready); err != nil {
		return nil, errors.Join(err, w.Stop())
	}
	w.PID = w.cmd.Process.Pid
	return w, nil
}

// Go begins the activity of a workload started with -hold.
func (w *Workload) Go() error { return w.tell("go") }

// Quiesce ends the activity and returns its account. The threads live on.
func (w *Workload) Quiesce() (*workload.Account, error) {
	if err := w.tell("quiesce"); err != nil {
		return nil, err
	}
	a := new(workload.Account)
	return a, w.read(a)
}

// Stop ends the workload.
func (w *Workload) Stop() error {
	w.stdin.Close()
	_, _ = io.Copy(io.Discard, w.out)
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("workload: %w: %s", err, strings.TrimSpace(w.stderr.String()))
	}
	return nil
}

func (w *Workload) tell(command string) error {
	if _, err := fmt.Fprintln(w.stdin, command); err != nil {
		return fmt.Errorf("tell the workload to %s: %w", command, err)
	}
	return nil
}

func (w *Workload) read(v any) error {
	line, err := w.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, v)
	}
	if err != nil {
		return fmt.Errorf("read from the workload: %w", err)
	}
	return nil
}

// Rate is how many operations a second the account is about.
func Rate(a *workload.Account) (float64, error) {
	if a.Ops == 0 || a.End <= a.Start {
		return 0, fmt.Errorf("workload %s did nothing in %d ns", a.Name, a.End-a.Start)
	}
	return float64(a.Ops) / (float64(a.End-a.Start) / 1e9), nil
}
