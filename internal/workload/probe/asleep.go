package probe

import (
	"syscall"
	"time"
)

// Bracketed calls check between two equal lists of threads, so that all that check counts was there
// all the while. A list that is nil, or that differs from the one before, makes the check void. A
// void check is repeated after a pause, with at most tries tries in all. false = every try was
// void.
func Bracketed(tries int, pause time.Duration, list func() ([]int, error), check func() error) (bool, error) {
	for i := 0; i < tries; i++ {
		if i > 0 {
			time.Sleep(pause)
		}
		before, err := list()
		if err != nil {
			return false, err
		}
		if before == nil {
			continue
		}
		if err := check(); err != nil {
			return false, err
		}
		after, err := list()
		if err != nil {
			return false, err
		}
		if after != nil && equal(before, after) {
			return true, nil
		}
	}
	return false, nil
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Sleepers lists the threads of this process without the calling one; nil = one of them does not
// sleep. The runtime counts a thread before clone(2) makes it and forgets it before exit(2) ends
// it. While all others sleep, no thread is in between.
func Sleepers() ([]int, error) {
	caller := syscall.Gettid()
	all, err := TaskIDs()
	if err != nil {
		return nil, err
	}
	others := []int{}
	for _, tid := range all {
		if tid == caller {
			continue
		}
		if state, err := TaskState(tid); err != nil || state != 'S' { // an error: the thread has ended
			return nil, nil
		}
		others = append(others, tid)
	}
	if syscall.Gettid() != caller {
		return nil, nil
	}
	return others, nil
}
