package probe

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// A check counts only if the lists before and after it are equal. Otherwise it is repeated, but not
// for ever.
func TestBracketed(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		lists  string // in order: a letter is a thread, - is a list with a thread that does not sleep, ! an error
		checks int
		calm   bool
		err    error
	}{
		{"ab ab", 1, true, nil},
		{"a ab ab ab", 2, true, nil},           // one began during the first check
		{"ab a a b a a", 3, true, nil},         // one ended, then one took another's place
		{"- - a a", 1, true, nil},              // at first one was awake
		{"a - a - a - a - a -", 5, false, nil}, // always one was
		{"- - - - -", 0, false, nil},
		{"a !", 1, false, broken},
		{"!", 0, false, broken},
	} {
		lists, checks := strings.Fields(tt.lists), 0
		calm, err := Bracketed(5, 0, func() ([]int, error) {
			list := lists[0]
			lists = lists[1:]
			switch list {
			case "-":
				return nil, nil
			case "!":
				return nil, broken
			}
			var tids []int
			for _, r := range list {
				tids = append(tids, int(r))
			}
			return tids, nil
		}, func() error { checks++; return nil })
		if calm != tt.calm || checks != tt.checks || err != tt.err || len(lists) != 0 {
			t.Errorf("%s: %t after %d checks, %v; lists left: %v", tt.lists, calm, checks, err, lists)
		}
	}
	one := func() ([]int, error) { return []int{1}, nil }
	if calm, err := Bracketed(5, 0, one, func() error { return broken }); calm || err != broken {
		t.Errorf("a check that fails: %t, %v", calm, err)
	}
}

// A thread that is on a CPU, or waits for one, is no sleeper, and the process is not calm.
func TestSleepers(t *testing.T) {
	stop, ended := make(chan struct{}), make(chan struct{})
	busy := make(chan int)
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		busy <- syscall.Gettid()
		for {
			select {
			case <-stop:
				return
			default:
				work.Spin(100000)
			}
		}
	}()
	tid := <-busy
	for i := 0; i < 20; i++ {
		if list, err := Sleepers(); list != nil || err != nil {
			t.Errorf("sleepers %v, %v, while thread %d spins", list, err, tid)
		}
	}
	close(stop)
	<-ended
	calm, err := Bracketed(10000, 5*time.Millisecond, Sleepers, func() error { return nil })
	if !calm || err != nil {
		t.Errorf("calm: %t, %v, once no thread spins", calm, err)
	}
}

// Two threads that want one CPU wait for it while the other has it.
func TestRunDelay(t *testing.T) {
	if runDelay(syscall.Getpid()) < 0 {
		t.Fatal("this kernel does not count how long threads wait for a CPU")
	}
	const busy = 60 * time.Millisecond
	all, err := Affinity()
	if err != nil {
		t.Fatal(err)
	}
	one := OneCPU(all.List()[0])
	waits := make(chan int64)
	var wall [2]int64
	var begun sync.WaitGroup
	begun.Add(len(wall))
	for i := range wall {
		go func() {
			runtime.LockOSThread() // never unlocked: no other goroutine may get this affinity
			if err := SetAffinity(0, one); err != nil {
				t.Error(err)
			}
			meter, from := NewDelayMeter(), Now()
			begun.Done()
			begun.Wait()
			for cpu := ThreadCPU(); ThreadCPU()-cpu < int64(busy); {
				work.Spin(100000)
			}
			wall[i] = Now() - from
			waits <- meter.Waited()
		}()
	}
	sum := int64(0)
	for range wall {
		w := <-waits
		if w < 0 {
			t.Errorf("waited %d ns", w)
		}
		sum += w
	}
	if sum < int64(busy)/2 || sum > wall[0]+wall[1] {
		t.Errorf("waited %d ns in all, in %v ns", sum, wall)
	}
	if n := runDelay(1 << 30); n != -1 {
		t.Errorf("a thread that does not exist waited %s ns", strconv.FormatInt(n, 10))
	}
	if w := (DelayMeter{TID: -1, from: 0}).Waited(); w != -1 {
		t.Errorf("on another thread, it waited %d ns", w)
	}
}
