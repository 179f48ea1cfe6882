package trial

import (
	"flag"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Exits is the account of the trial exits.
type Exits struct {
	Head
	// Watched is how long the threads of Exits were watched after the last goroutine had ended.
	Watched   int64         `json:"watched_ns"`
	Exits     []Exit        `json:"exits"`
	Processes []ExitProcess `json:"processes"`
}

// Exit is the end of a goroutine that had locked itself to a thread other than the main one.
type Exit struct {
	How    string `json:"how"`    // see exitKinds
	Locked bool   `json:"locked"` // it ended with its lock held, before any flag that leaves calls out
	GoID   int64  `json:"goid"`
	TID    int    `json:"tid"`
	Ended  int64  `json:"ended_ns"` // just before its last instruction
	Seen   int64  `json:"seen_ns"`  // when the thread was last in /proc/self/task
	Gone   int64  `json:"gone_ns"`  // when it was first missing there; 0 = it stayed

	Recovered []probe.Stretch `json:"recovered"` // of a goroutine that went on after a panic: before it, and after it
}

// exitKind is a way to end. The last argument of end asks it to leave out unlocking.
type exitKind struct {
	how    string
	locked bool
	end    func(o *probe.Others, e *Exit, skipUnlock bool)
}

func exitKinds() []exitKind {
	unlock := func(skip bool) {
		if !skip {
			runtime.UnlockOSThread()
		}
	}
	recoverIt := func() { _ = recover() }
	return []exitKind{
		{"return", true, func(_ *probe.Others, e *Exit, skip bool) { e.Ended = probe.Now() }},
		{"goexit", true, func(_ *probe.Others, e *Exit, skip bool) {
			e.Ended = probe.Now()
			runtime.Goexit()
		}},
		{"recovered panic, return", true, func(_ *probe.Others, e *Exit, skip bool) {
			defer recoverIt()
			e.Ended = probe.Now()
			panic("meant")
		}},
		{"unlock, return", false, func(_ *probe.Others, e *Exit, skip bool) {
			unlock(skip)
			e.Ended = probe.Now()
		}},
		{"deferred unlock, return", false, func(_ *probe.Others, e *Exit, skip bool) {
			defer unlock(skip)
			e.Ended = probe.Now()
		}},
		{"deferred unlock, goexit", false, func(_ *probe.Others, e *Exit, skip bool) {
			defer unlock(skip)
			e.Ended = probe.Now()
			runtime.Goexit()
		}},
		{"deferred unlock, recovered panic", false, func(_ *probe.Others, e *Exit, skip bool) {
			defer recoverIt()
			defer unlock(skip)
			e.Ended = probe.Now()
			panic("meant")
		}},
		{"recovered panic, unlock, return", false, func(o *probe.Others, e *Exit, skip bool) {
			e.Recovered = append(e.Recovered, o.Stretch(0, 1, 100))
			func() {
				defer recoverIt()
				panic("meant")
			}()
			e.Recovered = append(e.Recovered, o.Stretch(0, 1, 100))
			unlock(skip)
			e.Ended = probe.Now()
		}},
	}
}

// exits has goroutines end in every possible way, and processes end by those ways that end them.
func exits(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("n", 6, "ends of each kind, 1 or more")
	limit := flags.Duration("watch", 200*time.Millisecond, "how long to watch the threads, more than 0")
	skipLock := flags.Bool("skip-lock", false, "leave out LockOSThread")
	lock := probe.HalfLockFlag(flags)
	skipUnlock := flags.Bool("skip-unlock", false, "leave out UnlockOSThread")
	rescue := flags.Bool("recover", false, "recover the panics that are to end a process")
	how := flags.String("in-child", "", "be one of the processes: "+strings.Join(exitProcesses, ", "))
	return func(self Self) (Result, error) {
		if *n < 1 || *limit <= 0 {
			return nil, workload.Mistake("-n must be 1 or more and -watch more than 0")
		}
		if *how != "" {
			return exitProcess(self, *how, !*skipLock, *rescue)
		}
		made := func() bool { return lock.Next() && !*skipLock }
		a := &Exits{Watched: int64(*limit), Exits: goroutineExits(*n, *limit, made, *skipUnlock)}
		for _, how := range exitProcesses {
			p, err := watchProcess(self, how, !*skipLock,
				"-skip-lock="+strconv.FormatBool(*skipLock), "-recover="+strconv.FormatBool(*rescue))
			if err != nil {
				return nil, err
			}
			a.Processes = append(a.Processes, p)
		}
		return a, nil
	}
}

func goroutineExits(n int, limit time.Duration, lock func() bool, skipUnlock bool) []Exit {
	o := probe.StartOthers(4)
	defer o.Stop()
	var list []Exit
	for _, kind := range exitKinds() {
		for i := 0; i < n; i++ {
			e := Exit{How: kind.how, Locked: kind.locked, Recovered: []probe.Stretch{}}
			ended := make(chan struct{})
			probe.OffMain(func() {
				defer close(ended)
				e.GoID, e.TID = probe.GoID(), syscall.Gettid()
				if !lock() {
					runtime.UnlockOSThread()
				}
				kind.end(o, &e, skipUnlock)
			})
			<-ended
			if e.Locked { // another goroutine could end the thread later
				e.await(limit)
			}
			list = append(list, e)
		}
	}
	var stayed []int
	for _, e := range list {
		if !e.Locked {
			stayed = append(stayed, e.TID)
		}
	}
	seen, missed := probe.AwaitGone(stayed, limit)
	for i := range list {
		if !list[i].Locked {
			list[i].Seen, list[i].Gone = seen[0], missed[0]
			seen, missed = seen[1:], missed[1:]
		}
	}
	return list
}

// await waits until the thread has left the process, or limit is over.
func (e *Exit) await(limit time.Duration) {
	seen, missed := probe.AwaitGone([]int{e.TID}, limit)
	e.Seen, e.Gone = seen[0], missed[0]
}
