package workload

import (
	"flag"
	"sync/atomic"
	"time"
)

// Program is a workload. Build declares its flags and returns what sets it up once they are parsed. A trial has Trial
// instead, which returns what is done to its end and gives the account.
type Program struct {
	Info
	Build func(*flag.FlagSet) func(Stage) error
	Trial func(*flag.FlagSet) func(Self) (Result, error)
}

func (p Program) inner() program {
	if p.Trial != nil {
		return program{Info: p.Info, trial: p.Trial}
	}
	return program{Info: p.Info, build: func(flags *flag.FlagSet) func(*stage) error {
		setup := p.Build(flags)
		return func(s *stage) error { return setup(Stage{s}) }
	}}
}

// Stage is what a workload outside this package stands on. All its methods are for the set-up, but for Pause and Op.
type Stage struct{ s *stage }

// Pin starts a goroutine that locks itself to a thread depth times, waits for the beginning, runs body and then rests with
// its locks held until the workload ends. It returns when the goroutine is locked.
func (x Stage) Pin(role string, depth int, body func(*Pin)) { x.s.pin(role, depth, body) }

// Run starts a goroutine that is not locked, waits for the beginning and runs body.
func (x Stage) Run(body func()) { x.s.run(body) }

// Foreign notes a thread that C code made and that never calls Go.
func (x Stage) Foreign(tid int) { x.s.foreign = append(x.s.foreign, tid) }

// Extra notes a thread that C code made and that calls Go.
func (x Stage) Extra(tid int) { x.s.extra = append(x.s.extra, tid) }

// Pause waits for d, or less when the activity is to end, and says whether to go on.
func (x Stage) Pause(d time.Duration) bool { return x.s.pause(d) }

// Op counts n operations.
func (x Stage) Op(n uint64) { atomic.AddUint64(&x.s.ops, n) }

// Bystanders are goroutines, not locked, that go from thread to thread and look who else is there: what a trial outside this
// package needs for a Stretch.
type Bystanders struct{ b *bystanders }

// NewBystanders starts n of them.
func NewBystanders(n int) Bystanders { return Bystanders{newBystanders(n)} }

// Stretch is a stretch of the calling goroutine with n looks at its thread; slot, 0 to 7, is that of no other stretch meanwhile.
func (x Bystanders) Stretch(slot, locks, n int) Stretch { return x.b.stretch(slot, locks, n) }

// Leave ends them.
func (x Bystanders) Leave() { x.b.leave() }

// Time is a batch of n calls of f in a row.
func Time(n int, f func()) Cost { return timeCalls(n, f) }
