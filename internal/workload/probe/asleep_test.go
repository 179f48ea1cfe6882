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
)

// A look counts only where the lists before and after it are the same; it is tried again otherwise, but not for ever.
func TestBracketed(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		lists string // in the order they are made: a letter is a thread, - is a list with a thread that does not sleep, ! an error
		looks int
		calm  bool
		err   error
	}{
		{"ab ab", 1, true, nil},
		{"a ab ab ab", 2, true, nil},           // one began during the first look
		{"ab a a b a a", 3, true, nil},         // one ended, then one took another's place
		{"- - a a", 1, true, nil},              // at first one was awake
		{"a - a - a - a - a -", 5, false, nil}, // always one was
		{"- - - - -", 0, false, nil},
		{"a !", 1, false, broken},
		{"!", 0, false, broken},
	} {
		lists, looks := strings.Fields(tt.lists), 0
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
		}, func() error { looks++; return nil })
		if calm != tt.calm || looks != tt.looks || err != tt.err || len(lists) != 0 {
			t.Errorf("%s: %t after %d looks, %v; lists left: %v", tt.lists, calm, looks, err, lists)
		}
	}
	if calm, err := Bracketed(5, 0, func() ([]int, error) { return []int{1}, nil }, func() error { return broken }); calm || err != broken {
		t.Errorf("a look that fails: %t, %v", calm, err)
	}
}

// A thread that is on a CPU, or wants one, is no sleeper, nor is the process calm.
func TestSleepers(t *testing.T) {
	stop, ended := make(chan struct{}), make(chan struct{})
	busy := make(chan int)
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		busy <- syscall.Gettid()
		for !closed(stop) {
			work.Spin(100000)
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
	calm, err := Bracketed(1000, 5*time.Millisecond, Sleepers, func() error { return nil })
	if !calm || err != nil {
		t.Errorf("calm: %t, %v, once nobody spins", calm, err)
	}
}

// Two threads that want one CPU wait for it as long as the other has it; one that sleeps waits for none.
func TestRunDelay(t *testing.T) {
	if runDelay(syscall.Getpid()) < 0 {
		t.Fatal("this kernel does not say how long threads wait for a CPU")
	}
	const work = 60 * time.Millisecond
	all, err := Affinity()
	if err != nil {
		t.Fatal(err)
	}
	var one CPUSet
	one[all.list()[0]/64] = 1 << uint(all.list()[0]%64)
	waits := make(chan int64)
	var wall [2]int64
	var begun sync.WaitGroup
	begun.Add(len(wall))
	for i := range wall {
		go func() {
			runtime.LockOSThread() // for good: its affinity is no other's
			if err := SetAffinity(0, &one); err != nil {
				t.Error(err)
			}
			meter, from := NewDelayMeter(), Now()
			begun.Done()
			begun.Wait()
			for cpu := ThreadCPU(); ThreadCPU()-cpu < int64(work); {
				work.Spin(100000)
			}
			wall[i] = Now() - from
			waits <- meter.waited()
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
	if sum < int64(work)/2 || sum > wall[0]+wall[1] {
		t.Errorf("waited %d ns in all, in %v ns", sum, wall)
	}
	if n := runDelay(1 << 30); n != -1 {
		t.Errorf("a thread that is not there waited %s ns", strconv.FormatInt(n, 10))
	}
	if w := (DelayMeter{tid: -1, from: 0}).waited(); w != -1 {
		t.Errorf("on another thread it waited %d ns", w)
	}
}
