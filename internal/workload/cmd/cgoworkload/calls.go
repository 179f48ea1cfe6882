package main

// #include "threads.h"
// #include "trials.h"
import "C"

import (
	"flag"
	"runtime"

	"github.com/pinwatch/pinwatch/internal/workload"
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
	n := flags.Int("n", 300, "batches of each kind locked, and as many not; 1 or more")
	batch := flags.Int("batch", 1000, "short calls in a batch, 1 or more; long ones are a hundredth")
	long := flags.Int("long", 20000, "rounds of arithmetic in a long call, about a nanosecond each")
	skip := flags.Bool("skip-lock", false, "leave out LockOSThread")
	slow := flags.Int("slow", 0, "rounds of arithmetic to add to each call of a locked goroutine")
	return func(trial.Self) (trial.Result, error) {
		if *n < 1 || *batch < 1 || *long < 0 || *slow < 0 {
			return nil, workload.Mistake("-n and -batch must be 1 or more, -long and -slow not negative")
		}
		a := &trial.CCalls{}
		for _, kind := range []struct {
			name  string
			batch int
			call  func()
		}{
			{"nothing", *batch, func() { C.nothing() }},
			{"thread-local", *batch, func() { C.count() }},
			{"long", (*batch + 99) / 100, func() { C.compute(C.int(*long)) }},
		} {
			k := trial.CCallKind{Kind: kind.name, Batch: kind.batch}
			locked := kind.call
			if *slow > 0 {
				locked = func() { C.compute(C.int(*slow)); kind.call() }
			}
			for i := 0; i < *n; i++ {
				if !*skip {
					runtime.LockOSThread()
				}
				k.Locked = append(k.Locked, trial.Time(k.Batch, locked))
				if !*skip {
					runtime.UnlockOSThread()
				}
				k.Unlocked = append(k.Unlocked, trial.Time(k.Batch, kind.call))
			}
			a.Kinds = append(a.Kinds, k)
		}
		return a, nil
	}
}
