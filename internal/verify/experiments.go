package verify

import "github.com/pinwatch/pinwatch/internal/contract"

// experiment fills one record of evidence.
type experiment struct {
	name  string
	do    func(*run) error
	parts int // that are spread over a run; 0 = it is done as a whole
}

// experiments lists all in the order in which they are done: quick ones that only need a workload
// first, observations last.
func experiments() []experiment {
	return []experiment{
		// The thread that a goroutine runs on.
		{name: "migrate", do: migrate}, {name: "nest", do: nest}, {name: "cross", do: cross},
		{name: "main", do: onmain}, {name: "gc", do: gcpin},
		{name: "lend", do: lend}, {name: "allthreads", do: allThreads}, {name: "setgid", do: setGroup},
		{name: "bytid", do: byTID},
		// The end of a lock, and of a locked goroutine.
		{name: "exit", do: exits}, {name: "reuse", do: reuse}, {name: "syscall", do: retake},
		// Loops that only a signal interrupts.
		{name: "tight", do: tightLoop}, {name: "cooperative", do: cooperativeLoop},
		{name: "slices", do: slicesOfTime},
		// Workloads that time themselves.
		{name: "calls", do: lockCost}, {name: "saturate", do: saturate}, {name: "runs", do: equalRuns},
		{name: "handoff", do: handoff},
		// What the runtime publishes: metrics, profiles, traces.
		{name: "names", do: metricNames}, {name: "counts", do: counters}, {name: "latency", do: latency},
		{name: "labels", do: labels},
		{name: "schedtrace", do: schedtrace},
		{name: "trace", do: executionTrace}, {name: "trace_c", do: cgoTrace},
		// The surroundings of the runtime: thread attributes, memory, cgroups, C.
		{name: "inherit", do: inherit}, {name: "nodes", do: memoryNodes},
		{name: "pins", do: held}, {name: "internal", do: internal},
		{name: "quota", do: quota}, {name: "quota_now", do: quotaNow},
		{name: "calls_c", do: firstWithC}, {name: "cgo", do: cgo}, {name: "cgo_blocking", do: cgoRetake},
		{name: "callback", do: callback},
		// Kernel events, findings, the analyzer, and the source of the runtime.
		{name: "control", do: control}, {name: "churn", do: churn, parts: contract.MinSamples},
		{name: "storm", do: storm}, {name: "programs", do: programs}, {name: "source", do: source},
		{name: "systems", do: systems}, {name: "called", do: called}, {name: "wasm", do: wasm},
	}
}
