package probe

import (
	"flag"
	"strconv"
	"sync"
)

// Locks decides which of a workload's LockOSThread calls are made. Its flags leave some out, on
// purpose, to show that what is measured depends on them.
type Locks struct {
	skip, half *bool
	mu         sync.Mutex // guards calls
	calls      int
}

// LockFlags declares -skip-lock and -half-lock.
func LockFlags(flags *flag.FlagSet) *Locks {
	l := HalfLockFlag(flags)
	l.skip = flags.Bool("skip-lock", false, "leave out LockOSThread")
	return l
}

// HalfLockFlag declares -half-lock, for a workload that has a -skip-lock of its own.
func HalfLockFlag(flags *flag.FlagSet) *Locks {
	return &Locks{skip: new(bool), half: flags.Bool("half-lock", false, "leave out every other LockOSThread")}
}

// Next reports whether the next call is to be made.
func (l *Locks) Next() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	return !*l.skip && !(*l.half && l.calls%2 == 0)
}

// Args are the flags as they are set, for a child process.
func (l *Locks) Args() [2]string {
	return [2]string{"-skip-lock=" + strconv.FormatBool(*l.skip), "-half-lock=" + strconv.FormatBool(*l.half)}
}

// Skip reports whether no call is to be made.
func (l *Locks) Skip() bool { return *l.skip }

// Half reports whether every other call is to be left out.
func (l *Locks) Half() bool { return *l.half }
