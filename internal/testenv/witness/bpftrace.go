package witness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// bpftrace is a running bpftrace. Its output goes to a file: a signal that finds bpftrace waiting
// for the reader of a pipe makes it drop the rest of its output, because stdio gives up on EINTR.
type bpftrace struct {
	cmd    *exec.Cmd
	output *os.File
	stderr bytes.Buffer
	exited chan struct{} // closed when it has ended and err is set
	err    error
}

// startBpftrace runs a script. It writes each line at once with the buffering "line"; with "full"
// it has less work. The pages are those of each CPU's buffer.
func startBpftrace(t testing.TB, script, buffering string, pages int) *bpftrace {
	t.Helper()
	testenv.Require(t, testenv.Bpftrace)
	b := &bpftrace{exited: make(chan struct{})}
	output, err := os.Create(filepath.Join(t.TempDir(), "bpftrace"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	if b.output, err = os.Open(output.Name()); err != nil {
		t.Fatal(err)
	}
	b.cmd = exec.Command("bpftrace", "-B", buffering, "-e", script)
	b.cmd.Env = append(os.Environ(), fmt.Sprint("BPFTRACE_PERF_RB_PAGES=", pages), "BPFTRACE_MAP_KEYS_MAX=65536")
	b.cmd.Stdout, b.cmd.Stderr = output, &b.stderr
	if err := b.cmd.Start(); err != nil {
		t.Fatalf("start bpftrace: %v", err)
	}
	go func() {
		defer close(b.exited)
		if b.err = b.cmd.Wait(); b.err == nil && strings.Contains(b.stderr.String(), "Lost") {
			b.err = errors.New("events were lost")
		}
	}()
	t.Cleanup(func() { b.kill(); b.output.Close() })
	return b
}

// Read waits for output. It returns io.EOF after the output of a bpftrace that has ended.
func (b *bpftrace) Read(p []byte) (int, error) {
	for {
		ended := b.ended()
		n, err := b.output.Read(p)
		if n > 0 || err != io.EOF || ended {
			return n, err
		}
		time.Sleep(time.Millisecond) // between two looks at the file
	}
}

func (b *bpftrace) ended() bool {
	select {
	case <-b.exited:
		return true
	default:
		return false
	}
}

// end makes bpftrace end. It asks more than once because bpftrace misses a signal now and then. It
// does not send SIGINT: bpftrace takes away that handler before it prints its maps, so a second one
// would kill it (src/run_bpftrace.cpp).
func (b *bpftrace) end(t testing.TB) error {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		_ = b.cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended
		select {
		case <-b.exited:
			return b.err
		case <-time.After(5 * time.Second):
			t.Logf("bpftrace was asked to end and has not yet; it waits in %s", b.waitsIn())
		}
	}
	b.kill()
	return errors.New("it does not end")
}

// waitsIn names the kernel functions that bpftrace's threads wait in.
func (b *bpftrace) waitsIn() string {
	pid := b.cmd.Process.Pid
	tids, _ := procfs.Process(pid).Threads() // none: it has ended
	var names []string
	for _, tid := range tids {
		names = append(names, procfs.Thread(pid, tid).WChan())
	}
	return strings.Join(names, ", ")
}

func (b *bpftrace) kill() {
	_ = b.cmd.Process.Kill() // fails if it has ended
	<-b.exited
}
