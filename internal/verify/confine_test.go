package verify

import (
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A thread with changed state must end, wherever its goroutine runs first.
func TestMortalThreadsDie(t *testing.T) {
	const all = 50
	var mu sync.Mutex
	tids := map[int]bool{}
	var begun, ended sync.WaitGroup
	begun.Add(all)
	for range all { // at the same time, so that the main thread's turn comes too
		ended.Go(func() {
			_ = onMortalThread(func() error {
				mu.Lock()
				tids[unix.Gettid()] = true
				mu.Unlock()
				begun.Done()
				begun.Wait()
				return nil
			})
		})
	}
	ended.Wait()
	if len(tids) != all {
		t.Errorf("%d threads, want %d", len(tids), all)
	}
	for tid := range tids {
		for tries := 0; exists(tid); tries++ {
			if tries == 500 {
				t.Errorf("thread %d of process %d lives on", tid, os.Getpid())
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func exists(tid int) bool {
	_, err := os.Stat("/proc/self/task/" + strconv.Itoa(tid))
	return err == nil
}
