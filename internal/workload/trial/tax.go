package trial

import (
	"flag"
	"runtime"
	"syscall"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Tax is the account of the trial tax: what a channel hand-off costs by how many of two goroutines
// are locked.
type Tax struct {
	Head
	Batch  int        `json:"batch"`  // round trips in a round: two hand-offs each
	Rounds []TaxRound `json:"rounds"` // the three numbers of locked goroutines in turn
}

// TaxRound is a batch of round trips of one pair.
type TaxRound struct {
	Locked int   `json:"locked"` // goroutines of the pair that are locked: 0, 1, 2
	Start  int64 `json:"start_ns"`
	Wall   int64 `json:"wall_ns"` // of the whole batch, as what follows
	CPU    int64 `json:"cpu_ns"`  // of the process
	// Context switches of the process, in the whole batch.
	Voluntary   int64 `json:"voluntary"`
	Involuntary int64 `json:"involuntary"`
}

// tax has pairs of goroutines hand a token to and fro, one pair after the other.
func tax(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("n", 50, "rounds of each pair, 1 or more")
	batch := flags.Int("batch", 200, "round trips in a round, 1 or more")
	lock := probe.LockFlags(flags)
	once := flags.Bool("batched", false, "hand all tokens of a round over at one time, and wait once")
	return func(self Self) (Result, error) {
		if *n < 1 || *batch < 1 {
			return nil, workload.Mistake("-n and -batch must be 1 or more")
		}
		a := &Tax{Batch: *batch}
		var pairs []*taxPair
		for locked := 0; locked <= 2; locked++ {
			p := newTaxPair(self, locked, lock, *batch, *once)
			defer close(p.rounds)
			pairs = append(pairs, p)
		}
		for i := 0; i < *n; i++ {
			for _, p := range pairs {
				p.rounds <- *batch
				a.Rounds = append(a.Rounds, <-p.result)
			}
		}
		return a, nil
	}
}

// taxPair is two goroutines, which live for all rounds.
type taxPair struct {
	rounds chan int // how many round trips
	result chan TaxRound
}

func newTaxPair(self Self, locked int, calls *probe.Locks, batch int, once bool) *taxPair {
	p := &taxPair{rounds: make(chan int), result: make(chan TaxRound)}
	ping, pong, answers := make(chan struct{}), make(chan struct{}), 1 // a pong for so many pings
	if once {
		ping, answers = make(chan struct{}, batch), batch
	}
	var made [2]bool
	for i := 0; i < locked; i++ {
		made[i] = calls.Next()
	}
	lock := func(yes, made bool) (unlock func()) {
		if !yes {
			return func() {}
		}
		if made {
			runtime.LockOSThread()
		}
		self.Claim(Hold(1))
		return runtime.UnlockOSThread
	}
	go func() {
		defer lock(locked > 0, made[0])()
		defer close(ping)
		for n := range p.rounds {
			p.result <- taxRound(locked, n, answers, ping, pong)
		}
	}()
	go func() {
		defer lock(locked > 1, made[1])()
		for n := 1; ; n++ {
			if _, more := <-ping; !more {
				return
			}
			if n%answers == 0 {
				pong <- struct{}{}
			}
		}
	}()
	return p
}

func taxRound(locked, n, answers int, ping chan<- struct{}, pong <-chan struct{}) TaxRound {
	r := TaxRound{Locked: locked}
	var from, to syscall.Rusage
	probe.ProcessUsage(&from)
	r.Start = probe.Now()
	for i := 0; i < n; i++ {
		ping <- struct{}{}
		if (i+1)%answers == 0 {
			<-pong
		}
	}
	r.Wall = probe.Now() - r.Start
	probe.ProcessUsage(&to)
	r.CPU = to.Utime.Nano() - from.Utime.Nano() + to.Stime.Nano() - from.Stime.Nano()
	r.Voluntary, r.Involuntary = to.Nvcsw-from.Nvcsw, to.Nivcsw-from.Nivcsw
	return r
}
