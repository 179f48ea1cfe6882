package testenv

import (
	"bufio"
	"io"
	"os/exec"
	"testing"
)

// StartPiped starts a process that is killed when the test ends.
func StartPiped(t testing.TB, cmd *exec.Cmd) (io.Writer, *bufio.Reader) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return stdin, bufio.NewReader(stdout)
}
