package verify

// experiment fills one record of evidence.
type experiment struct {
	name string
	do   func(*run) error
}

// experiments lists all in the order in which they are done: quick ones that only need a workload
// first, observations last.
func experiments() []experiment {
	return []experiment{
		// The thread that a goroutine runs on.
		{"migrate", migrate}, {"nest", nest}, {"cross", cross}, {"main", onmain}, {"gc", gcpin},
		{"lend", lend}, {"allthreads", allThreads}, {"setgid", setGroup},
		// The end of a lock, and of a locked goroutine.
		{"exit", exits}, {"reuse", reuse}, {"syscall", retake},
		// Loops that only a signal interrupts.
		{"tight", tightLoop}, {"cooperative", cooperativeLoop}, {"slices", slicesOfTime},
		// Workloads that time themselves.
		{"calls", lockCost}, {"saturate", saturate}, {"runs", equalRuns}, {"handoff", handoff},
		// What the runtime publishes: metrics, profiles, traces.
		{"names", metricNames}, {"counts", counters}, {"latency", latency}, {"labels", labels},
		{"schedtrace", schedtrace},
		{"trace", executionTrace},
		// The surroundings of the runtime: thread attributes, memory, cgroups, C.
		{"inherit", inherit}, {"pins", held}, {"internal", internal}, {"quota", quota}, {"quota_now", quotaNow},
		{"cgo", cgo}, {"cgo_blocking", cgoRetake},
		{"callback", callback},
		// Kernel events, findings, and the analyzer.
		{"churn", churn}, {"storm", storm}, {"programs", programs}, {"source", source},
	}
}
