package witness

import (
	"bufio"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// Script is a bpftrace that runs a script.
type Script struct {
	t    testing.TB
	b    *bpftrace
	done chan struct{} // closed at the end of its output

	mu     sync.Mutex
	awaits map[string]bool // awaited lines that it has not printed yet
	text   strings.Builder // all other lines
}

// StartScript runs the script and returns once it has printed each of the awaited lines. The
// script's probes must print them for what poke does; poke is called until they have. All probes
// are attached then.
func StartScript(t testing.TB, script string, poke func(), awaited ...string) *Script {
	t.Helper()
	s := &Script{t: t, b: startBpftrace(t, script, "line", 2048), done: make(chan struct{}), awaits: map[string]bool{}}
	for _, line := range awaited {
		s.awaits[line] = true
	}
	go func() {
		defer close(s.done)
		for sc := bufio.NewScanner(s.b); sc.Scan(); {
			s.take(sc.Text())
		}
	}()
	for deadline := time.Now().Add(patience); !s.ready(); {
		poke()
		select {
		case <-s.done:
			t.Fatalf("bpftrace has ended: %s", &s.b.stderr)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.b.kill()
			t.Fatalf("bpftrace does not print %v; stderr: %s", s.awaits, &s.b.stderr)
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
	if err := s.b.end(s.t); err != nil {
		s.t.Fatalf("bpftrace: %v; stderr: %s", err, &s.b.stderr)
	}
	<-s.done
	return s.text.String()
}
