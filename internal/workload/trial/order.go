package trial

import (
	"flag"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"syscall"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Order is the account of the trial order: processes with equal behavior.
type Order struct {
	Head
	Runs []OrderRun `json:"runs"`
}

// OrderRun is a process in which goroutines lock themselves, one after the other and all at once.
type OrderRun struct {
	Head
	Before  []int      `json:"before"`  // threads before the first lock, ascending
	Single  []OrderPin `json:"single"`  // one after the other, in the order in which they locked themselves
	Again   []OrderPin `json:"again"`   // the same goroutines once more, after each had unlocked itself
	Burst   []OrderPin `json:"burst"`   // all at once, in the order in which they locked themselves
	Threads []int      `json:"threads"` // at the end, ascending, which is the order in which the process made them
}

// OrderPin is a goroutine that has locked itself.
type OrderPin struct {
	Number int   `json:"number"` // place in the order in which they were made, from 0
	TID    int   `json:"tid"`
	Locked int64 `json:"locked_ns"` // just after LockOSThread
}

// order starts the same process again and again, to show what is the same every time and what is
// not.
func order(flags *flag.FlagSet) func(Self) (Result, error) {
	runs := flags.Int("runs", 12, "processes, 1 or more")
	n := flags.Int("n", 6, "goroutines that lock themselves, 1 or more")
	skip := flags.Bool("skip-unlock", false,
		"do not unlock between the two turns of the goroutines that lock one after the other")
	child := flags.Bool("in-child", false, "be one of these processes")
	return func(self Self) (Result, error) {
		if *runs < 1 || *n < 1 {
			return nil, workload.Mistake("-runs and -n must be 1 or more")
		}
		if *child {
			return orderRun(*n, *skip)
		}
		a := &Order{}
		for i := 0; i < *runs; i++ {
			var r OrderRun
			if err := self.child(nil, &r, "order", "-in-child", "-n", strconv.Itoa(*n),
				"-skip-unlock="+strconv.FormatBool(*skip)); err != nil {
				return nil, err
			}
			a.Runs = append(a.Runs, r)
		}
		return a, nil
	}
}

func orderRun(n int, skip bool) (Result, error) {
	_, before, err := probe.TakeCensus()
	if err != nil {
		return nil, err
	}
	r := &OrderRun{Before: before}
	r.Single, r.Again = lockInTurn(n, skip)
	r.Burst = lockAtOnce(n)
	_, r.Threads, err = probe.TakeCensus()
	return r, err
}

// lockInTurn has each of n goroutines lock itself after the one before it. When all are locked they
// unlock themselves and do it again.
func lockInTurn(n int, skip bool) (first, second []OrderPin) {
	turns := make([]chan struct{}, n)
	pins := make(chan OrderPin)
	var free, ended sync.WaitGroup
	free.Add(n)
	ended.Add(n)
	for i := range turns {
		turns[i] = make(chan struct{})
		go func(i int) {
			defer ended.Done()
			<-turns[i]
			runtime.LockOSThread()
			pins <- OrderPin{Number: i, TID: syscall.Gettid(), Locked: probe.Now()}
			<-turns[i]
			if !skip {
				runtime.UnlockOSThread()
			}
			free.Done()
			<-turns[i]
			if !skip {
				runtime.LockOSThread()
			}
			defer runtime.UnlockOSThread()
			pins <- OrderPin{Number: i, TID: syscall.Gettid(), Locked: probe.Now()}
			<-turns[i]
		}(i)
	}
	lockAll := func() (list []OrderPin) {
		for _, turn := range turns {
			turn <- struct{}{}
			list = append(list, <-pins)
		}
		return list
	}
	first = lockAll()
	for _, turn := range turns {
		turn <- struct{}{}
	}
	free.Wait()
	second = lockAll()
	for _, turn := range turns {
		turn <- struct{}{}
	}
	ended.Wait()
	return first, second
}

// lockAtOnce has n goroutines, which all began at once, locked at one time.
func lockAtOnce(n int) []OrderPin {
	pins := make([]OrderPin, n)
	begin := make(chan struct{})
	var locked, ended sync.WaitGroup
	locked.Add(n)
	ended.Add(n)
	for i := range pins {
		go func(i int) {
			defer ended.Done()
			<-begin
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			pins[i] = OrderPin{Number: i, TID: syscall.Gettid(), Locked: probe.Now()}
			locked.Done()
			locked.Wait()
		}(i)
	}
	close(begin)
	ended.Wait()
	sort.Slice(pins, func(i, j int) bool { return pins[i].Locked < pins[j].Locked })
	return pins
}
