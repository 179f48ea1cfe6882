package witness

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// marker is a thread of the test process that is switched out and in on demand. An observer that
// reports its switches is attached, and has reported everything that happened on that CPU before.
type marker struct {
	tid  int32
	jobs chan func()

	mu    sync.Mutex
	last  map[int]int64 // CPU → time of the last switch that the observer reported
	ended bool          // the observer reports no more
}

func newMarker() *marker {
	m := &marker{jobs: make(chan func()), last: map[int]int64{}}
	born := make(chan struct{})
	go func() {
		runtime.LockOSThread() // the observer identifies the marker by the id of this thread
		defer runtime.UnlockOSThread()
		m.tid = int32(unix.Gettid())
		close(born)
		for job := range m.jobs {
			job()
		}
	}()
	<-born
	return m
}

// release ends the marker's goroutine.
func (m *marker) release() { close(m.jobs) }

// reported notes a switch of the marker's thread that the observer reported.
func (m *marker) reported(e SwitchEvent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[e.CPU] = max(m.last[e.CPU], e.Time)
}

// observerEnded notes that the observer reports no more.
func (m *marker) observerEnded() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
}

// await switches on each CPU that the test may run on until the observer has reported a switch
// there that happened after await began.
func (m *marker) await(patience time.Duration) error {
	result := make(chan error)
	m.jobs <- func() { result <- m.visit(testenv.Now(), time.Now().Add(patience)) }
	return <-result
}

func (m *marker) visit(begin int64, deadline time.Time) error {
	var home unix.CPUSet
	if err := unix.SchedGetaffinity(0, &home); err != nil {
		return fmt.Errorf("read the affinity: %w", err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &home) }() // it was allowed before
	for cpu := range len(home) * 64 {
		if !home.IsSet(cpu) {
			continue
		}
		var here unix.CPUSet
		here.Set(cpu)
		if err := unix.SchedSetaffinity(0, &here); err != nil {
			return fmt.Errorf("move to CPU %d: %w", cpu, err)
		}
		for {
			last, ended := m.lastOn(cpu)
			if last > begin {
				break
			}
			if ended {
				return errors.New("it has ended")
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("it reports nothing on CPU %d", cpu)
			}
			nap := unix.NsecToTimespec(100e3)
			_ = unix.Nanosleep(&nap, nil) // each is a switch, even if a signal ends it early
		}
	}
	return nil
}

// lastOn is the time of the last reported switch on a CPU, and whether the observer has ended.
func (m *marker) lastOn(cpu int) (last int64, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[cpu], m.ended
}
