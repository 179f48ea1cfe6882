package verify

import (
	"slices"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// panicStatus is the exit status of a Go process after a panic (runtime.fatalpanic).
const panicStatus = 2

// ways are the ways in which goroutines end: the name of their counts, and whether the thread must
// end with them.
var ways = map[string]struct {
	name string
	ends bool
}{
	"return":                           {"return", true},
	"goexit":                           {"goexit", true},
	"recovered panic, return":          {"return", true},
	"deferred unlock, return":          {"deferred_return", false},
	"deferred unlock, goexit":          {"deferred_goexit", false},
	"deferred unlock, recovered panic": {"deferred_panic", false},
}

func exits(r *run) error {
	var a trial.Exits
	if err := r.trial(&a, "exits"); err != nil {
		return err
	}
	for _, e := range a.Exits {
		way, ok := ways[e.How]
		switch {
		case !ok:
		case way.ends:
			r.add(way.name+"_exits", 1)
			if e.Gone != 0 {
				r.add(way.name+"_ended", 1)
			}
		default:
			r.add(way.name, 1)
			if e.Gone == 0 {
				r.add(way.name+"_alive", 1)
			}
		}
		if len(e.Recovered) == 2 {
			before, after := e.Recovered[0], e.Recovered[1]
			r.stretch(after, "recovered")
			if after.TID != before.TID {
				r.add("recovered_moves", 1)
			}
		}
	}
	for _, p := range a.Processes {
		switch p.How {
		case "panic":
			r.add("crashes", 1)
			if p.Status == panicStatus {
				r.add("crashed", 1)
			}
		case "goexit from main":
			r.add("main_exits", 1)
			if p.Main == nil || !p.Main.Alive {
				r.add("main_ended", 1)
			}
		case "coroutine locks":
			r.add("coroutine_locks", 1)
			if refused(p) {
				r.add("coroutine_locks_fatal", 1)
			}
		case "coroutine unlocks":
			r.add("coroutine_unlocks", 1)
			if refused(p) {
				r.add("coroutine_unlocks_fatal", 1)
			}
		}
	}
	return nil
}

// refused is true where the runtime ended a process because the lock was not the one that it had
// lent to a coroutine (runtime.coroswitch_m).
func refused(p trial.ExitProcess) bool {
	return p.Status == panicStatus && strings.Contains(p.Stderr, "coro: got lock external")
}

func reuse(r *run) error {
	var a trial.Reuse
	if err := r.trial(&a, "reuse"); err != nil {
		return err
	}
	for _, round := range a.Rounds {
		r.add("released", 1)
		if round.First != nil {
			r.add("reused", 1)
		}
		if round.Before > 0 || round.Successor == round.TID {
			r.add("shared_before", 1)
		}
	}
	var p trial.Parked
	if err := r.trial(&p, "parked", "-wanted", "2"); err != nil {
		return err
	}
	together := map[[2]int]bool{} // threads of each round
	for _, thread := range p.Released {
		together[[2]int{thread.Round, thread.TID}] = true
		if thread.Checks == 0 { // no goroutine needed a thread
			continue
		}
		r.add("unlocks", 1)
		if thread.First == nil || thread.First.At-thread.Released > int64(time.Millisecond) {
			r.add("idle_after_unlock", 1)
		}
	}
	r.add("held_at_once", int64(len(p.Released)))
	r.add("threads_at_once", int64(len(together)))
	return nil
}

// short is the length of calls that block the thread but end before the next check of sysmon.
const short = "20us"

func retake(r *run) error { return r.blocking(r.lab.Program, "retake") }

// blocking counts blocking calls of locked goroutines, long ones and short ones.
func (r *run) blocking(program []string, name string) error {
	var long, brief, parked trial.Retake
	if err := r.trialAs(program, nil, &long, name, "-n", "20", "-block", "40ms"); err != nil {
		return err
	}
	if err := r.trialAs(program, nil, &brief, name, "-n", "60", "-block", short); err != nil {
		return err
	}
	if err := r.trialAs(program, nil, &parked, name, "-n", "20", "-block", "1ms", "-park"); err != nil {
		return err
	}
	handOffs, delays := lockedDelays(&parked), lockedDelays(&long)
	slices.Sort(handOffs)
	for i := range delays {
		delays[i] -= handOffs[len(handOffs)/2]
	}
	r.sample("retake", delays)
	for _, round := range long.Rounds {
		if round.Locked {
			r.call(round, "long")
		}
	}
	for _, round := range brief.Rounds {
		if round.Locked && round.Kind != "pipe" {
			r.call(round, "short")
		}
	}
	return nil
}

// lockedDelays are the times from a locked goroutine's wait to the next goroutine's first step, ns.
func lockedDelays(a *trial.Retake) (delays []float64) {
	for _, round := range a.Rounds {
		if round.Locked {
			delays = append(delays, float64(round.Other-round.Enter))
		}
	}
	return delays
}

// call counts one blocking call, and which goroutines ran during it.
func (r *run) call(round trial.RetakeRound, kind string) {
	r.add(kind+"_calls", 1)
	r.add("samples", 1)
	if round.Other < round.Leave {
		r.add(kind+"_others_ran", 1)
	}
	if round.After != round.TID {
		r.add("moves", 1)
	}
	if round.OtherTID == round.TID || round.Successor == round.TID {
		r.add("intruders", 1)
	}
}
