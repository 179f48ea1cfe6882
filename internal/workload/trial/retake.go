package trial

import (
	"flag"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
	"github.com/pinwatch/pinwatch/internal/workload/work"
)

// Retake is the account of the trial retake.
type Retake struct {
	Head
	Rounds []RetakeRound `json:"rounds"`
}

// RetakeRound is a goroutine that blocks in a system call while another waits for the only P
// (GOMAXPROCS 1).
type RetakeRound struct {
	Kind   string `json:"kind"` // sleep: it blocks for a fixed time; pipe: in read(2) until the other writes
	Locked bool   `json:"locked"`
	Idle   int64  `json:"idle_ns"` // how long the process slept before; sysmon polls less often then

	TID   int   `json:"tid"`
	Enter int64 `json:"enter_ns"` // just before the call; the other was runnable already
	Leave int64 `json:"leave_ns"` // when the goroutine ran again
	After int   `json:"tid_after"`

	Other      int64 `json:"other_ns"` // the other goroutine's first instruction
	OtherTID   int   `json:"other_tid"`
	OtherSpins int64 `json:"other_spins_ns"` // how long the other goroutine then kept the P

	Successor int `json:"successor_tid"` // probe.Successor after all that, with the lock still held
}

// retake measures how long a goroutine in a system call keeps its P from another.
func retake(flags *flag.FlagSet) func(Self) (Result, error) {
	return Blocking(work.Nap, work.ReadByte)(flags)
}

// Blocking is the trial retake with other calls to block in. sleep may end early. read returns when
// there is a byte in the pipe fd.
func Blocking(sleep func(ns int64), read func(fd int)) func(*flag.FlagSet) func(Self) (Result, error) {
	return func(flags *flag.FlagSet) func(Self) (Result, error) { return blocking(flags, sleep, read) }
}

func blocking(flags *flag.FlagSet, sleep func(ns int64), read func(fd int)) func(Self) (Result, error) {
	n := flags.Int("n", 40, "rounds of each kind, locked and not; 1 or more")
	block := flags.Duration("block", 15*time.Millisecond, "length of the calls of kind sleep, 0 or more")
	spin := flags.Duration("other", 0, "how long the other goroutine keeps the P, 0 or more")
	lock := probe.LockFlags(flags)
	park := flags.Bool("park", false, "sleep by the runtime instead of a system call, which gives up the P at once")
	return func(self Self) (Result, error) {
		if *n < 1 || *block < 0 || *spin < 0 {
			return nil, workload.Mistake("-n must be 1 or more, -block and -other not negative")
		}
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		a := &Retake{}
		for i := 0; i < *n; i++ {
			for _, kind := range []string{"sleep", "pipe"} {
				for _, locked := range []bool{true, false} {
					r := RetakeRound{Kind: kind, Locked: locked, Idle: int64(i%4) * 1e6, OtherSpins: int64(*spin)}
					claim := func() {
						if locked && i == 0 {
							self.Claim(Hold(1))
						}
					}
					if err := r.run(int64(*block), locked && lock.Next(), *park, claim, sleep, read); err != nil {
						return nil, err
					}
					a.Rounds = append(a.Rounds, r)
				}
			}
		}
		return a, nil
	}
}

// run does the round.
func (r *RetakeRound) run(block int64, lock, park bool, claim func(), sleep func(ns int64), read func(fd int)) error {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return fmt.Errorf("make a pipe: %v", err)
	}
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	time.Sleep(time.Duration(r.Idle))
	ran, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		if lock {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
		}
		claim()
		r.TID = syscall.Gettid()
		go r.other(fds[1], ran)
		r.Enter = probe.Now()
		switch {
		case park:
			time.Sleep(time.Duration(block))
		case r.Kind == "pipe":
			read(fds[0])
		default:
			// A signal ends a sleep early.
			for left := r.Enter + block - probe.Now(); left > 0; left = r.Enter + block - probe.Now() {
				sleep(left)
			}
		}
		r.Leave, r.After = probe.Now(), syscall.Gettid()
		<-ran // the lock is held until then: the other goroutine may not run on this thread
		r.Successor = probe.Successor()
	}()
	<-ended
	return nil
}

func (r *RetakeRound) other(fd int, ran chan<- struct{}) {
	r.Other, r.OtherTID = probe.Now(), syscall.Gettid()
	for r.OtherSpins > 0 && probe.Now() < r.Other+r.OtherSpins {
	}
	work.WriteByte(fd)
	close(ran)
}
