package witness

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// Script is a bpftrace that runs a script.
type Script struct {
	t      testing.TB
	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan struct{} // closed at the end of its output

	mu     sync.Mutex
	awaits map[string]bool // awaited lines that it has not printed yet
	text   strings.Builder // all other lines
	ended  bool
}

// StartScript runs the script and returns once it has printed each of the awaited lines. The
// script's probes must print them for what poke does; poke is called until they have. All probes
// are attached then.
func StartScript(t testing.TB, script string, poke func(), awaited ...string) *Script {
	t.Helper()
	testenv.Require(t, testenv.Bpftrace)
	s := &Script{t: t, done: make(chan struct{}), awaits: map[string]bool{}}
	s.cmd = exec.Command("bpftrace", "-B", "line", "-e", script)
	for _, line := range awaited {
		s.awaits[line] = true
	}
	s.cmd.Env = append(os.Environ(), "BPFTRACE_PERF_RB_PAGES=2048", "BPFTRACE_MAP_KEYS_MAX=65536")
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatalf("start bpftrace: %v", err)
	}
	t.Cleanup(s.kill)
	go func() {
		defer close(s.done)
		for sc := bufio.NewScanner(stdout); sc.Scan(); {
			s.take(sc.Text())
		}
	}()
	for deadline := time.Now().Add(patience); !s.ready(); {
		poke()
		select {
		case <-s.done:
			s.kill()
			t.Fatalf("bpftrace has ended: %s", &s.stderr)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.kill()
			t.Fatalf("bpftrace does not print %v; stderr: %s", s.awaits, &s.stderr)
		}
	}
	return s
}

func (s *Script) take(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range []string{"ready ", "Attaching "} {
		if strings.HasPrefix(line, known) {
			delete(s.awaits, line)
			return
		}
	}
	fmt.Fprintln(&s.text, line)
}

func (s *Script) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.awaits) == 0
}

// Stop ends the script and returns what it has printed, without the lines that begin with "ready ".
// The test fails if bpftrace lost events.
func (s *Script) Stop() string {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !s.ended; {
		interrupt(s.cmd)
		select {
		case <-s.done:
			s.ended = true
		case <-time.After(5 * time.Second):
			if time.Now().After(deadline) {
				s.kill()
				s.t.Fatalf("stop bpftrace: it does not end; stderr: %s", &s.stderr)
			}
		}
	}
	if err := s.cmd.Wait(); err != nil || strings.Contains(s.stderr.String(), "Lost") {
		s.t.Fatalf("bpftrace: %v; stderr: %s", err, &s.stderr)
	}
	return s.text.String()
}

// interrupt asks bpftrace to end. It does nothing when bpftrace has no handler for the signal any
// more: then bpftrace is printing its maps, which takes long on a busy machine, and the signal would
// kill it (src/main.cpp).
func interrupt(bpftrace *exec.Cmd) {
	status, err := procfs.Process(bpftrace.Process.Pid).Status()
	if err != nil || status.Caught&(1<<(unix.SIGINT-1)) != 0 {
		_ = bpftrace.Process.Signal(os.Interrupt) // fails if bpftrace has ended, which its output shows
	}
}

func (s *Script) kill() {
	if s.ended {
		return
	}
	s.ended = true
	s.cmd.Process.Kill() // fails if it has ended by itself
	<-s.done
	s.cmd.Wait()
}
