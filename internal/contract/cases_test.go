package contract

import (
	"fmt"
	"maps"
)

// evidenceCase is evidence that fulfils a statement, and changes of it that must change the
// verdict.
type evidenceCase struct {
	good    []string
	want    string            // verdict on good
	breaks  map[string]string // verdict by change
	tooFew  []string          // changes that make it inconclusive
	release string            // "" = go1.26.8
}

// detection is the case of a checklist line that a finding or a rule of the analyzer detects.
func detection(from, finding string) evidenceCase {
	bad, good := finding+"_bad_reported", finding+"_good_reported"
	return evidenceCase{
		good: []string{fmt.Sprintf("%s: %s=1 %s_bad=1 %s=0 %s_good=1", from, bad, finding, good, finding)},
		want: Holds,
		breaks: map[string]string{fmt.Sprintf("%s: %s=0", from, bad): Refuted,
			fmt.Sprintf("%s: %s=1", from, good): Refuted},
		tooFew: []string{fmt.Sprintf("%s: %s=0 %s_bad=0", from, bad, finding),
			fmt.Sprintf("%s: %s_good=0", from, finding)},
	}
}

// and is the case of a line that both detect.
func (c evidenceCase) and(o evidenceCase) evidenceCase {
	c.good = append(c.good, o.good...)
	maps.Copy(c.breaks, o.breaks)
	c.tooFew = append(c.tooFew, o.tooFew...)
	return c
}

const (
	calm = "migrate: locked_moves=0 locked_samples=2000 unlocked_moves=90 visits_locked=0 samples_locked=9000 " +
		"visits_unlocked=70 locked_strange=0 unlocked_strange=40 unlocked_samples=2000"
	lent   = "lend: turns_on_locked=0 turns=1000"
	apart  = "allthreads: changed=0 calls=6"
	nested = "nest: bound_moves=0 bound_samples=2000 free_moves=20 rounds=4 freed_rounds=4"
	ended  = "exit: return_ended=12 return_exits=12 goexit_ended=6 goexit_exits=6 main_exits=1 main_ended=1 " +
		"coroutine_locks=1 coroutine_locks_fatal=0"
	freedInInit = "main: init_unlocked_freed=40 init_unlocked_samples=1500"
	churned     = "churn: kernel_locked_exits=400 locked_exits=400 created=410 cloned=410 clone_syscall~20000x60 " +
		"exit~20000x60"
	stormed = "storm: sigurg_locked=300 collections=300 sigurg_sent=500 preempt_lower~1500x60 " +
		"preempt_upper~2200x60 sigurg_by_tgkill=500 sigurg_delivered_own=500"
	controlled = "control: send_other~1400x60 send_same~900x60 clone~15000x60 exit~9000x60"
	tightLoops = "tight: locked_interrupted=10 locked_trials=10 locked_shared=0 locked_tries=20 unlocked_shared=9"
	sliced     = "slices: cycle_locked~90000x60 cycle_unlocked~20000x60 sliced=6 locked_rounds=6 " +
		"locked_shared=0 locked_tries=6 unlocked_shared=6"
	pinned = "pins: proc_threads=60 runtime_threads=60 locked_threads=8 listed=8 pinned=8 template_threads=0 " +
		"distinct_threads=8"
	named   = "names: metric_specified=1 metric_asked=1"
	counted = "counts: goroutines_added=10 pins_added=10 metric_total=60 kernel_threads=60 metric_growth~1x10 " +
		"outside_metric=2 service_threads=2 threads_at_once=10 held_at_once=10"
	called = "calls: lock~5x60 unlock~4x60 first_lock~90x15 first_ratio~5000x15 " +
		"template_started=15 firsts=15 lock_by_empty~1.4x60 unlock_by_empty~1.4x60"
	inSyscall = "syscall: long_others_ran=24 long_calls=24 moves=0 samples=60 short_others_ran=40 short_calls=40 " +
		"retake~90000x48"
	inC = "cgo: short_beside_0~1.12x60 short_beside_4~1.12x60 short_beside_16~1.12x60 long~1x60 " +
		"locked_shared=0 locked_tries=60 unlocked_shared=50"
	blockingC = "cgo_blocking: long_others_ran=12 long_calls=12 moves=0 samples=40 short_others_ran=40 short_calls=40"
	same      = "inherit: affinity_same=6 nice_same=6 policy_same=6 mempolicy_same=6 locks=6 cpu_changes=40 " +
		"cpu_samples=2000 locked_moves=0 locked_samples=2000 unlocked_moves=30"
	inCallback = "callback: moves=0 samples=400 same_goroutine=6 later_calls=6 internal_seen=3 internal_claims=3"
	equalRuns  = "runs: tids=7of20 orders=5of20 threads_at_once=240 held_at_once=240"
	handedOff  = "handoff: tax~90x50 switches_by_one~2x50"
	profiled   = "labels: labelled_found=3 labelled=3 threads_at_once=3 held_at_once=3"
)

var cases = map[string]evidenceCase{
	"G-1": {good: []string{calm}, want: Holds, breaks: map[string]string{"migrate: locked_moves=1": Refuted},
		tooFew: []string{"migrate: locked_samples=10", "migrate: unlocked_moves=0"}},
	"G-2": {good: []string{calm, lent}, want: Holds, breaks: map[string]string{"migrate: visits_locked=1": Refuted,
		"lend: turns_on_locked=1000": HoldsExcept},
		tooFew: []string{"migrate: samples_locked=10", "migrate: visits_unlocked=0", "lend: turns=3"}},
	"G-3": {good: []string{nested}, want: Holds, breaks: map[string]string{"nest: bound_moves=1": Refuted,
		"nest: freed_rounds=3": Refuted},
		tooFew: []string{"nest: bound_samples=10", "nest: free_moves=0", "nest: rounds=1 freed_rounds=1"}},
	"G-4": {good: []string{ended, churned}, want: Holds,
		breaks: map[string]string{"exit: return_ended=11": Refuted, "exit: goexit_ended=5": Refuted,
			"churn: kernel_locked_exits=399": Refuted, "exit: main_ended=0": HoldsExcept,
			"exit: coroutine_locks_fatal=1": HoldsExcept},
		tooFew: []string{"exit: return_exits=2 return_ended=2", "exit: goexit_exits=2 goexit_ended=2",
			"churn: locked_exits=0 kernel_locked_exits=0"}},
	"G-5": {good: []string{nested, "reuse: reused=20 released=48 shared_before=0", freedInInit}, want: Holds,
		breaks: map[string]string{"nest: freed_rounds=0": Refuted, "reuse: reused=0": Refuted,
			"main: init_unlocked_freed=0": HoldsExcept, "nest: bound_moves=1": Inconclusive,
			"reuse: shared_before=1": Inconclusive},
		tooFew: []string{"nest: freed_rounds=0 rounds=0", "reuse: reused=0 released=3",
			"main: init_unlocked_freed=0 init_unlocked_samples=9"}},
	"G-6": {good: []string{tightLoops, sliced, stormed}, want: Holds,
		breaks: map[string]string{"tight: locked_interrupted=0": Refuted, "storm: sigurg_locked=0": Refuted,
			"slices: sliced=0": Refuted, "tight: locked_shared=1": Inconclusive, "slices: locked_shared=1": Inconclusive},
		tooFew: []string{"tight: locked_trials=1 locked_interrupted=1", "storm: sigurg_locked=0 collections=3"}},
	"G-7": {good: []string{inSyscall}, want: Holds,
		breaks: map[string]string{"syscall: long_others_ran=3": Refuted, "syscall: moves=1": Refuted,
			"syscall: intruders=1": Refuted, "syscall: short_others_ran=2": HoldsExcept},
		tooFew: []string{"syscall: long_calls=2 long_others_ran=2", "syscall: samples=2",
			"syscall: short_calls=3 short_others_ran=3"}},
	"G-8": {good: []string{pinned, named}, want: Holds,
		breaks: map[string]string{"pins: proc_threads=59": Refuted, "pins: listed=7": Refuted,
			"names: metric_specified=0": Refuted},
		tooFew: []string{"pins: proc_threads=1 runtime_threads=1", "pins: listed=1 pinned=1",
			"names: metric_asked=0 metric_specified=0"}},
	"G-9": {good: []string{calm, apart, "setgid: changed=0 calls=6", "bytid: changed=0 calls=6"}, want: Holds,
		breaks: map[string]string{"migrate: locked_strange=2": Refuted, "allthreads: changed=6": HoldsExcept,
			"setgid: changed=1": HoldsExcept, "bytid: changed=6": HoldsExcept},
		tooFew: []string{"migrate: locked_samples=10", "migrate: unlocked_strange=0"}},

	"P-1": {good: []string{pinned}, want: Holds, breaks: map[string]string{"pins: locked_threads=9": Refuted,
		"pins: locked_threads=7": Refuted, "pins: template_threads=1": HoldsExcept},
		tooFew: []string{"pins: pinned=1 locked_threads=1"}},
	"P-2": {good: []string{"saturate: growth~200000x400 threads_at_once=24 held_at_once=24"}, want: Holds,
		breaks: map[string]string{"saturate: growth~20000000x60": OutOfRange,
			"saturate: growth~10000000x60": Borderline, "saturate: threads_at_once=23": Inconclusive},
		tooFew: []string{"saturate: growth~200000x5", "saturate: growth~200000x200"}},
	"P-3": {good: []string{called}, want: Holds, breaks: map[string]string{"calls: lock~150x60": OutOfRange,
		"calls: lock~100x60": Borderline, "calls: first_lock~30000x15": HoldsExcept,
		"calls: lock_by_empty~1x60": Inconclusive},
		tooFew: []string{"calls: lock~5x5", "calls: first_lock~90x5", "calls: first_lock~100x15"}},
	"P-4": {good: []string{called}, want: Holds, breaks: map[string]string{"calls: unlock~150x60": OutOfRange,
		"calls: unlock_by_empty~1x60": Inconclusive},
		tooFew: []string{"calls: unlock~4x5"}},
	"P-5": {good: []string{stormed, controlled}, want: Holds,
		breaks: map[string]string{"storm: preempt_lower~5000x60 preempt_upper~9000x60": OutOfRange,
			"storm: preempt_lower~1150x60 preempt_upper~2900x60":       Borderline,
			"storm: preempt_lower~400x60 preempt_upper~700x60":         OutOfRange,
			"storm: sigurg_sent=0 preempt_lower~0x0 preempt_upper~0x0": Refuted},
		tooFew: []string{"storm: preempt_lower~1500x3", "storm: preempt_upper~9000x60",
			"storm: sigurg_sent=0 collections=3"}},
	"P-6": {good: []string{tightLoops, sliced}, want: Holds,
		breaks: map[string]string{"tight: locked_interrupted=0": Refuted, "slices: cycle_locked~20000x60": Refuted,
			"slices: cycle_locked~9000x60": Refuted, "tight: locked_shared=1": Inconclusive,
			"slices: locked_shared=1": Inconclusive},
		tooFew: []string{"tight: locked_trials=1 locked_interrupted=1", "slices: cycle_locked~90000x3",
			"slices: cycle_locked~20000x20 cycle_unlocked~20000x20"}},
	"P-7": {good: []string{inC}, want: Holds, breaks: map[string]string{"cgo: short_beside_0~1x60": Refuted,
		"cgo: short_beside_4~1.6x60": Refuted, "cgo: short_beside_16~1x60": Refuted, "cgo: long~1.2x60": Refuted,
		"cgo: locked_shared=1": Inconclusive},
		tooFew: []string{"cgo: short_beside_0~1.1x5", "cgo: short_beside_16~1.05x60"}},
	"P-8": {good: []string{churned, controlled}, want: Holds,
		breaks: map[string]string{"churn: clone_syscall~5000x60": OutOfRange,
			"churn: clone_syscall~90000x60": OutOfRange, "churn: clone_syscall~50000x60": Borderline,
			"churn: clone_syscall~58000x60": Borderline, "churn: clone_syscall~45000x60": Borderline,
			"churn: clone_syscall~9000x60": Borderline},
		tooFew: []string{"churn: clone_syscall~20000x5"}},
	"P-9": {good: []string{churned, controlled}, want: Holds,
		breaks: map[string]string{"churn: exit~5000x60": OutOfRange, "churn: exit~60000x60": OutOfRange,
			"churn: exit~30000x60": Borderline},
		tooFew: []string{"churn: exit~20000x5"}},
	"P-10": {good: []string{blockingC}, want: Holds,
		breaks: map[string]string{"cgo_blocking: long_others_ran=1": Refuted, "cgo_blocking: moves=1": Refuted,
			"cgo_blocking: intruders=1": Refuted, "cgo_blocking: short_others_ran=30": HoldsExcept},
		tooFew: []string{"cgo_blocking: long_calls=1 long_others_ran=1", "cgo_blocking: samples=1",
			"cgo_blocking: short_calls=2 short_others_ran=2"}},

	"M-1": {good: []string{named, counted}, want: Holds, breaks: map[string]string{"names: metric_specified=0": Refuted,
		"counts: metric_growth~0x10": Refuted, "counts: metric_growth~2x10": Refuted},
		tooFew: []string{"names: metric_asked=0 metric_specified=0", "counts: metric_growth~1x4"}},
	"M-2": {good: []string{"latency: answered=8 asked=8 wait_overpinned~900000x200 wait_pinned~3000x200 " +
		"wait_calm~2000x200 threads_at_once=136 held_at_once=136"}, want: Holds,
		breaks: map[string]string{"latency: wait_overpinned~2000x200": Refuted,
			"latency: wait_overpinned~200x200": Refuted, "latency: wait_pinned~900000x200": Refuted,
			"latency: answered=0": Refuted, "latency: threads_at_once=135": Inconclusive},
		tooFew: []string{"latency: wait_overpinned~900000x4", "latency: wait_calm~2000x4", "latency: wait_pinned~2x4"}},
	"M-3": {good: []string{counted}, want: Holds,
		breaks: map[string]string{"counts: goroutines_added=7": Refuted, "counts: goroutines_added=12": Refuted,
			"counts: threads_at_once=9": Inconclusive},
		tooFew: []string{"counts: pins_added=1 goroutines_added=1"}},
	"M-4": {good: []string{pinned, named, counted}, want: Holds,
		breaks: map[string]string{"pins: proc_threads=61": Refuted, "pins: listed=7": Refuted,
			"names: metric_specified=0": Refuted, "counts: outside_metric=0": Refuted},
		tooFew: []string{"pins: proc_threads=2 runtime_threads=2", "counts: outside_metric=0 service_threads=0"}},
	"M-5": {good: []string{profiled}, want: Holds,
		breaks: map[string]string{"labels: labelled_found=2": Refuted, "labels: threads_at_once=2": Inconclusive},
		tooFew: []string{"labels: labelled=0 labelled_found=0"}},
	"M-6": {good: []string{"trace: locked_moves=0 locked_events=500 unlocked_moves=40 syscall_events=90 gc_events=9 " +
		"events=4000", "trace_c: c_calls_traced=1200 c_calls=1200"}, want: Holds,
		breaks: map[string]string{"trace_c: c_calls_traced=20": Refuted, "trace: locked_moves=1": Refuted,
			"trace: syscall_events=0": Refuted,
			"trace: gc_events=0":      Refuted},
		tooFew: []string{"trace: locked_events=3", "trace: unlocked_moves=0", "trace: gc_events=0 events=5"}},
	"M-7": {good: []string{"schedtrace: lines_with_fields=10 lines=10"}, want: Holds,
		breaks: map[string]string{"schedtrace: lines_with_fields=9": Refuted},
		tooFew: []string{"schedtrace: lines=1 lines_with_fields=1"}},
	"M-8": {good: []string{"schedtrace: lockedg_found=2 lockedg_pins=2"}, want: Holds,
		breaks: map[string]string{"schedtrace: lockedg_found=1": Refuted},
		tooFew: []string{"schedtrace: lockedg_pins=0 lockedg_found=0"}},

	"N-1": {good: []string{same}, want: Witnessed, breaks: map[string]string{"inherit: affinity_same=5": Refuted,
		"inherit: cpu_changes=0": NotWitnessed, "inherit: locked_moves=1": Inconclusive},
		tooFew: []string{"inherit: affinity_same=1 locks=1", "inherit: cpu_changes=0 cpu_samples=5"}},
	"N-2": {good: []string{same}, want: Holds, breaks: map[string]string{"inherit: nice_same=5": Refuted,
		"inherit: policy_same=0": Refuted, "inherit: locked_moves=1": Inconclusive},
		tooFew: []string{"inherit: nice_same=1 policy_same=1 locks=1"}},
	"N-3": {good: []string{same, "nodes: local_pages=6 pages=6"}, want: Holds,
		breaks: map[string]string{"inherit: mempolicy_same=5": Refuted, "nodes: local_pages=3": Refuted,
			"inherit: locked_moves=1": Inconclusive},
		tooFew: []string{"inherit: mempolicy_same=1 locks=1", "nodes: local_pages=2 pages=2"}},
	"N-4": {good: []string{equalRuns}, want: Witnessed, breaks: map[string]string{"runs: tids=1of20": NotWitnessed,
		"runs: threads_at_once=239": Inconclusive},
		tooFew: []string{"runs: tids=1of5", "runs: tids=0of0"}},
	"N-5": {good: []string{equalRuns}, want: Witnessed, breaks: map[string]string{"runs: orders=1of20": NotWitnessed,
		"runs: threads_at_once=239": Inconclusive},
		tooFew: []string{"runs: orders=1of5"}},
	"N-6": {good: []string{"storm: preempt_upper~2000+90000x300"}, want: Witnessed,
		breaks: map[string]string{"storm: preempt_upper~2000x300": NotWitnessed},
		tooFew: []string{"storm: preempt_upper~2000x20", "storm: preempt_upper~0x0"}},
	"N-7": {good: []string{"reuse: idle_after_unlock=7 unlocks=40 threads_at_once=60 held_at_once=60"}, want: Witnessed,
		breaks: map[string]string{"reuse: idle_after_unlock=0": NotWitnessed, "reuse: threads_at_once=59": Inconclusive},
		tooFew: []string{"reuse: idle_after_unlock=0 unlocks=5"}},
	"N-8": {good: []string{ended, "exit: deferred_goexit_alive=6 deferred_goexit=6 deferred_panic_alive=6 " +
		"deferred_panic=6 deferred_return_alive=6 deferred_return=6"}, want: Holds,
		breaks: map[string]string{"exit: deferred_goexit_alive=5": Refuted, "exit: deferred_panic_alive=5": Refuted,
			"exit: deferred_return_alive=5": Refuted, "exit: return_ended=11": Refuted, "exit: goexit_ended=5": Refuted},
		tooFew: []string{"exit: deferred_goexit=1 deferred_goexit_alive=1"}},

	"E-1": {good: []string{nested}, want: Holds, breaks: map[string]string{"nest: bound_moves=1": Refuted,
		"nest: freed_rounds=3": Refuted}, tooFew: []string{"nest: bound_samples=10"}},
	"E-2": {good: []string{"main: main_moves=0 main_samples=1500 free_moves=9"}, want: Holds,
		breaks: map[string]string{"main: main_moves=1": Refuted}, tooFew: []string{"main: main_samples=3",
			"main: free_moves=0"}},
	"E-3": {good: []string{"main: init_moves=0 init_samples=1500 free_moves=9"}, want: Holds,
		breaks: map[string]string{"main: init_moves=1": Refuted}, tooFew: []string{"main: init_samples=3"}},
	"E-4": {good: []string{ended}, want: Holds, breaks: map[string]string{"exit: goexit_ended=5": Refuted,
		"exit: main_ended=0": HoldsExcept}, tooFew: []string{"exit: goexit_ended=1 goexit_exits=1"}},
	"E-5": {good: []string{"exit: recovered_moves=0 recovered_samples=600 crashed=1 crashes=1"}, want: Holds,
		breaks: map[string]string{"exit: recovered_moves=1": Refuted,
			"exit: crashed=0": Refuted}, tooFew: []string{"exit: recovered_samples=3", "exit: crashed=0 crashes=0"}},
	"E-6": {good: []string{"cross: kept_moves=0 kept_samples=3000 free_moves=900 free_samples=3000",
		"exit: coroutine_unlocks=1 coroutine_unlocks_fatal=0"}, want: Holds,
		breaks: map[string]string{"cross: kept_moves=1": Refuted,
			"cross: free_moves=0": Refuted, "exit: coroutine_unlocks_fatal=1": HoldsExcept},
		tooFew: []string{"cross: kept_samples=3", "cross: free_moves=0 free_samples=4"}},
	"E-7": {good: []string{calm, lent, pinned}, want: Holds,
		breaks: map[string]string{"migrate: visits_locked=1": Refuted, "lend: turns_on_locked=1000": HoldsExcept,
			"pins: distinct_threads=7": Refuted}, tooFew: []string{"pins: pinned=1 distinct_threads=1"}},
	"E-8": {good: []string{inCallback}, want: Holds,
		breaks: map[string]string{"callback: moves=1": Refuted, "callback: same_goroutine=2": HoldsExcept},
		tooFew: []string{"callback: samples=4", "callback: same_goroutine=1 later_calls=1"}},
	"E-9": {good: []string{"gc: moves=0 samples=200"}, want: Holds, breaks: map[string]string{"gc: moves=1": Refuted},
		tooFew: []string{"gc: samples=4"}},
	"E-10": {good: []string{"internal: runtime_locked=6 in_init=6", inCallback}, want: Holds,
		breaks: map[string]string{"internal: runtime_locked=0": Refuted, "internal: runtime_locked=1": Refuted,
			"callback: internal_seen=0": Refuted},
		tooFew: []string{"internal: runtime_locked=0 in_init=0"}},

	"V-1.13": {good: []string{"cooperative: locked_interrupted=0 locked_trials=10 locked_shared=0 locked_tries=20 " +
		"unlocked_shared=9"}, want: Holds,
		breaks: map[string]string{"cooperative: locked_interrupted=10": Refuted,
			"cooperative: locked_shared=1": Inconclusive},
		tooFew: []string{"cooperative: locked_trials=1"}},
	"V-1.14": {good: []string{tightLoops, stormed}, want: Holds,
		breaks: map[string]string{"tight: locked_interrupted=0": Refuted,
			"storm: sigurg_sent=0": Refuted, "tight: locked_shared=1": Inconclusive},
		tooFew: []string{"tight: locked_interrupted=1 locked_trials=1"}},
	"V-1.16": {good: []string{"quota: followed=2 started=2"}, want: Holds,
		breaks: map[string]string{"quota: followed=1": Refuted}, tooFew: []string{"quota: followed=0 started=0"}},
	"V-1.21": {good: []string{named}, want: Holds, breaks: map[string]string{"names: metric_specified=0": Refuted},
		tooFew: []string{"names: metric_asked=0 metric_specified=0"}},
	"V-1.22": {good: []string{calm, lent, nested, ended}, want: Holds,
		breaks: map[string]string{"migrate: locked_moves=1": Refuted, "migrate: visits_locked=1": Refuted,
			"lend: turns_on_locked=1000": HoldsExcept,
			"nest: bound_moves=1":        Refuted, "nest: freed_rounds=1": Refuted,
			"exit: return_ended=1": Refuted, "exit: goexit_ended=1": Refuted},
		tooFew: []string{"migrate: locked_samples=1"}},

	"O-macos": {good: []string{"systems: darwin_read=1 darwin_pthread_kill=1 darwin_makes_thread=1 darwin_bsdthread=1",
		"called: darwin_built=1 darwin_signals=1 darwin_signals_asked=1 darwin_makes_thread=1 " +
			"darwin_makes_thread_asked=1 darwin_bsdthread_create=1"},
		want: Holds, breaks: map[string]string{"systems: darwin_pthread_kill=0": Refuted,
			"called: darwin_signals=0": Refuted, "called: darwin_makes_thread=0": Refuted,
			"called: darwin_bsdthread_create=0": HoldsExcept, "systems: darwin_makes_thread=0": Refuted,
			"systems: darwin_bsdthread=0": HoldsExcept},
		tooFew: []string{"systems: darwin_read=0 darwin_pthread_kill=0 darwin_makes_thread=0 darwin_bsdthread=0"}},
	"O-windows": {good: []string{"systems: windows_read=1 windows_create_thread=1 windows_suspend=1 windows_apc=1",
		"called: windows_built=1 windows_QueueUserAPC=1 windows_makes_thread=1 windows_makes_thread_asked=1 " +
			"windows_suspends=3 windows_suspends_asked=3"},
		want: Holds, breaks: map[string]string{"systems: windows_create_thread=0": Refuted,
			"systems: windows_suspend=0": Refuted, "systems: windows_apc=0": Refuted,
			"called: windows_QueueUserAPC=0": Refuted, "called: windows_makes_thread=0": Refuted,
			"called: windows_suspends=2": Refuted},
		tooFew: []string{"systems: windows_read=0 windows_create_thread=0 windows_suspend=0 windows_apc=0"}},
	"O-other": {good: []string{"systems: systems=12 systems_with_lock=12", "wasm: locked=1 exits=1",
		"called: freebsd_binds=2 freebsd_binds_asked=2 solaris_binds=2 solaris_binds_asked=2"}, want: Holds,
		breaks: map[string]string{"wasm: others_ran=1": HoldsExcept, "wasm: alive=1": HoldsExcept,
			"called: freebsd_binds=1": Refuted, "called: solaris_binds=1": Refuted,
			"systems: systems_with_lock=11": Refuted, "systems: systems_unbound=2": HoldsExcept},
		tooFew: []string{"systems: systems=0 systems_with_lock=0"}},
	"O-linux": {good: []string{churned, stormed}, want: Holds,
		breaks: map[string]string{"churn: cloned=409": Refuted, "storm: sigurg_by_tgkill=499": Refuted},
		tooFew: []string{"churn: cloned=2 created=2", "storm: sigurg_by_tgkill=0 sigurg_delivered_own=0"}},

	"C-1": detection("source", "comment"),
	"C-2": detection("programs", "exit-while-locked-churn").and(detection("source", "unlock")),
	"C-3": detection("programs", "per-request-pinning").and(detection("source", "caller")),
	"C-4": detection("programs", "per-request-pinning").and(detection("source", "caller")),
	"C-5": detection("programs", "thread-differs/setup").and(detection("source", "setup")),
	"C-6": evidenceCase{good: []string{calm}, want: Holds,
		breaks: map[string]string{"migrate: unlocked_strange=0": Refuted},
		tooFew: []string{"migrate: unlocked_strange=0 unlocked_samples=3"}}.
		and(detection("programs", "thread-differs/cleanup")).and(detection("source", "cleanup")),
	"C-7": detection("programs", "leaked-pin"),
	"C-8": {good: []string{pinned}, want: Holds, breaks: map[string]string{"pins: locked_threads=7": Refuted},
		tooFew: []string{"pins: locked_threads=1 pinned=1"}},
	"C-9": {good: []string{pinned}, want: Holds, breaks: map[string]string{"pins: proc_threads=7": Refuted,
		"pins: listed=7": Refuted},
		tooFew: []string{"pins: proc_threads=1 runtime_threads=1"}},
	"C-10": detection("programs", "thread-surplus"),
	"R-1":  detection("source", "comment"),
	"R-2":  detection("programs", "per-request-pinning").and(detection("source", "handler")),
	"R-3":  detection("programs", "exit-while-locked-churn").and(detection("source", "paths")),
	"R-4":  detection("programs", "leaked-pin").and(detection("source", "setup")),
	"R-5": evidenceCase{good: []string{"exit: recovered_moves=0 recovered_samples=600 crashed=1 crashes=1"}, want: Holds,
		breaks: map[string]string{"exit: recovered_moves=1": Refuted,
			"exit: crashed=0": Refuted}, tooFew: []string{"exit: recovered_samples=3"}}.
		and(detection("programs", "unbalanced-lock")).and(detection("source", "defer")),
	"R-6": {good: []string{profiled}, want: Holds,
		breaks: map[string]string{"labels: labelled_found=0": Refuted, "labels: threads_at_once=2": Inconclusive},
		tooFew: []string{"labels: labelled=0 labelled_found=0"}},

	"X-1": {good: []string{handedOff}, want: Holds, breaks: map[string]string{"handoff: tax~3x50": Refuted,
		"handoff: switches_by_one~1x50": Inconclusive},
		tooFew: []string{"handoff: tax~90x5", "handoff: tax~10x50"}},
	"X-2": {good: []string{called, "calls_c: started~0x12"}, want: Holds,
		breaks: map[string]string{"calls: first_ratio~30x15": Refuted, "calls: template_started=0": Refuted,
			"calls_c: started~1x12": Refuted},
		tooFew: []string{"calls: first_ratio~5000x5"}},
	"X-3": {good: []string{inSyscall}, want: Holds,
		breaks: map[string]string{"syscall: retake~2000x48": OutOfRange,
			"syscall: retake~90000000x48": OutOfRange, "syscall: intruders=1": Inconclusive},
		tooFew: []string{"syscall: retake~90000x4"}},
	"X-4": {good: []string{"quota_now: followed=1 started=1 set_followed=1 set_started=1 old_followed=1 old_started=1 " +
		"one_followed=1 one_started=1"}, want: Holds,
		breaks: map[string]string{"quota_now: followed=0": Refuted, "quota_now: set_followed=0": HoldsExcept,
			"quota_now: old_followed=0": HoldsExcept, "quota_now: one_followed=0": HoldsExcept},
		tooFew: []string{"quota_now: followed=0 started=0", "quota_now: set_followed=0 set_started=0"}},
	"X-5": {good: []string{counted}, want: Holds, breaks: map[string]string{"counts: metric_total=59": Refuted},
		tooFew: []string{"counts: metric_total=2 kernel_threads=2"}},
}
