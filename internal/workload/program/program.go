// Package program has the workloads that run until they are stopped. Each prints a
// workload.Account.
//
// It keeps to Go 1.13, as all that is compiled into a workload.
package program

import (
	"flag"

	"github.com/pinwatch/pinwatch/internal/workload"
)

// Program is one of them. Build declares its flags and returns the set-up, which runs once they are
// parsed.
type Program struct {
	workload.Info
	Build func(*flag.FlagSet) func(*Workload) error
}

// All lists the programs of this package, in the order to show them in.
func All() []Program {
	return []Program{
		{info("demo", "a bit of everything: locked hand-offs, a locked spinner, threads that die, garbage collection"), demo},
		{info("churn", "goroutines that exit while locked, each of which ends a thread"), churn},
		{info("pingpong", "pairs of locked goroutines that hand a token to and fro"), pingpong},
		{info("spinners", "locked tight loops that only a signal preempts, under garbage collection"), spinners},
		{info("threads", "many locked threads that take turns, so that all of them switch and migrate"), threads},
		{info("blocked", "locked threads in long system calls"), blocked},
		{info("burst", "many threads that begin at once and end at once, again and again"), burst},
		{info("leak", "locked goroutines that are never woken"), leak},
		{info("wedged", "a goroutine that exits while locked to the main thread, which stays parked for ever"), wedged},
		{info("perrequest", "goroutines that lock themselves for one request each"), perrequest},
		{info("storm", "stops of the world that interrupt tight loops by SIGURG, very often"), storm},
		{info("sharedcore", "a locked thread confined to a CPU where the runtime's other threads run too"), sharedcore},
		{info("interrupted", "a locked thread in raw system calls that SIGURG ends"), interrupted},
		{info("surplus", "a burst of blocking system calls that leaves idle threads behind"), surplus},
		{info("depth", "goroutines locked at depths 1 to 5, which change by step"), depth},
		{info("dance", "short-lived goroutines that are locked to the same threads in turn"), dance},
		{info("matrix", "every state a thread's lock can be in, to be checked thread by thread"), matrix},
		{info("held", "goroutines that keep threads for good: in system calls and in waits, locked or not"), held},
		{info("alter", "a goroutine that changes its thread's scheduling policy and unlocks it"), alter},
		{info("panics", "a goroutine that recovers from panics, which skip its unlocks"), panicking},
		{info("idle", "nothing at all"), idle},
	}
}

func info(name, about string) workload.Info { return workload.Info{Name: name, About: about} }
