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
		{"migrate", migrate, 0}, {"nest", nest, 0}, {"cross", cross, 0}, {"main", onmain, 0}, {"gc", gcpin, 0},
		{"lend", lend, 0}, {"allthreads", allThreads, 0}, {"setgid", setGroup, 0},
		// The end of a lock, and of a locked goroutine.
		{"exit", exits, 0}, {"reuse", reuse, 0}, {"syscall", retake, 0},
		// Loops that only a signal interrupts.
		{"tight", tightLoop, 0}, {"cooperative", cooperativeLoop, 0}, {"slices", slicesOfTime, 0},
		// Workloads that time themselves.
		{"calls", lockCost, 0}, {"saturate", saturate, 0}, {"runs", equalRuns, 0}, {"handoff", handoff, 0},
		// What the runtime publishes: metrics, profiles, traces.
		{"names", metricNames, 0}, {"counts", counters, 0}, {"latency", latency, 0}, {"labels", labels, 0},
		{"schedtrace", schedtrace, 0},
		{"trace", executionTrace, 0}, {"trace_c", cgoTrace, 0},
		// The surroundings of the runtime: thread attributes, memory, cgroups, C.
		{"inherit", inherit, 0}, {"pins", held, 0}, {"internal", internal, 0}, {"quota", quota, 0}, {"quota_now", quotaNow, 0},
		{"cgo", cgo, 0}, {"cgo_blocking", cgoRetake, 0},
		{"callback", callback, 0},
		// Kernel events, findings, and the analyzer.
		{"control", control, 0}, {"churn", churn, contract.MinSamples}, {"storm", storm, 0}, {"programs", programs, 0}, {"source", source, 0},
	}
}
