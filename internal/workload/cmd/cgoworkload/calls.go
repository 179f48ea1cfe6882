package main

// #include "threads.h"
// #include "trials.h"
import "C"

import (
	"flag"
	"runtime"
	"syscall"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// blockingTrial is the trial retake with calls of C to block in.
var blockingTrial = trial.Blocking(
	func(ns int64) { C.doze(C.int((ns + 999) / 1000)) },
	func(fd int) { C.take_byte(C.int(fd)) },
)

// growTrial is the trial grow with a call of C to block in.
var growTrial = trial.Growing([]trial.Block{
	{Kind: "c", Wait: func(_ <-chan struct{}, fd int) { C.take_byte(C.int(fd)) }},
})

// callsTrial times calls of C by a goroutine that is locked for every other batch.
func callsTrial(flags *flag.FlagSet) func(trial.Self) (trial.Result, error) {
	n := flags.Int("n", 60, "batches of each kind locked, and as many not; 1 or more")
	batch := flags.Int("batch", 20000, "short calls in a batch, 1 or more; long ones are a hundredth")
	long := flags.Int("long", 20000, "rounds of arithmetic in a long call, about a nanosecond each")
	locks := probe.LockFlags(flags)
	slow := flags.Int("slow", 0, "rounds of arithmetic to add to each call of a locked goroutine")
	more := flags.Int("more", 0, "short calls in a hundred that unlocked batches make more, which the account leaves out")
	return func(self trial.Self) (trial.Result, error) {
		if *n < 1 || *batch < 1 || *long < 0 || *slow < 0 || *more < 0 {
			return nil, workload.Mistake("-n and -batch must be 1 or more, -long, -slow and -more not negative")
		}
		a := &trial.CCalls{}
		lock := func() {
			if locks.Next() {
				runtime.LockOSThread()
			}
		}
		for i := 0; i < 2; i++ {
			lock()
			self.Claim(trial.Hold(1))
			runtime.UnlockOSThread()
		}
		for _, kind := range []struct {
			name   string
			others []int
			batch  int
			call   func()
		}{
			{"nothing", bystanders, *batch, func() { C.nothing() }},
			{"thread-local", bystanders, *batch, func() { C.fill() }},
			{"long", bystanders[:1], (*batch + 99) / 100, func() { C.compute(C.int(*long)) }},
		} {
			locked := kind.call
			if *slow > 0 {
				locked = func() { C.compute(C.int(*slow)); kind.call() }
			}
			unlocked := kind.batch
			if kind.name != "long" {
				unlocked += kind.batch * *more / 100
			}
			for _, others := range kind.others {
				k := trial.CCallKind{Kind: kind.name, Others: others, Batch: kind.batch}
				o := probe.StartOthers(others)
				for i := 0; i < *n; i++ {
					lock()
					k.Locked = append(k.Locked, timed(k.Batch, k.Batch, locked))
					runtime.UnlockOSThread()
					k.Unlocked = append(k.Unlocked, timed(unlocked, k.Batch, kind.call))
				}
				o.Stop()
				a.Kinds = append(a.Kinds, k)
			}
		}
		return a, nil
	}
}

// bystanders are the numbers of other goroutines beside the one that calls C.
var bystanders = []int{0, 4, 16}

// timed times n calls as a batch of so many.
func timed(n, batch int, f func()) trial.CCost {
	tid := syscall.Gettid()
	c := trial.Time(n, f)
	c.Wall *= float64(n) / float64(batch)
	c.CPU *= float64(n) / float64(batch)
	now := syscall.Gettid()
	return trial.CCost{Cost: c, Moved: now != tid, Shared: probe.Successor() == now}
}
