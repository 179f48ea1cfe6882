package testenv

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// canary is a thread of the test process that is switched out and in on demand. An observer that reports it is
// attached, and has reported everything that happened on that CPU before.
type canary struct {
	tid  int32
	jobs chan func()

	mu   sync.Mutex
	last map[int]int64 // CPU → time of the last switch that the observer reported
	gone bool          // the observer is
}

func newCanary() *canary {
	c := &canary{jobs: make(chan func()), last: map[int]int64{}}
	born := make(chan struct{})
	go func() {
		runtime.LockOSThread() // the observer knows the canary by this thread's id
		defer runtime.UnlockOSThread()
		c.tid = int32(unix.Gettid())
		close(born)
		for job := range c.jobs {
			job()
		}
	}()
	<-born
	return c
}

// release lets the thread go; the canary can't sing any more.
func (c *canary) release() { close(c.jobs) }

// heard is told of every switch of the canary's thread that the observer reports.
func (c *canary) heard(e SwitchEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last[e.CPU] = max(c.last[e.CPU], e.Time)
}

// lost is told that the observer will report no more.
func (c *canary) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
}

// sing switches on each CPU that the test may run on until the observer has reported a switch there that happened after sing began.
func (c *canary) sing(patience time.Duration) error {
	result := make(chan error)
	c.jobs <- func() { result <- c.visit(Now(), time.Now().Add(patience)) }
	return <-result
}

func (c *canary) visit(since int64, deadline time.Time) error {
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
		for !c.heardSince(cpu, since) {
			if c.deserted() {
				return errors.New("it has ended")
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("it reports nothing on CPU %d", cpu)
			}
			nap := unix.NsecToTimespec(100e3)
			_ = unix.Nanosleep(&nap, nil) // each is a switch; cut short by a signal, it still was one
		}
	}
	return nil
}

func (c *canary) heardSince(cpu int, since int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last[cpu] > since
}

func (c *canary) deserted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}
