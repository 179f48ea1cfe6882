// Package witness has observers of the kernel that share nothing with pinwatch: a trace buffer
// (StartTrace), perf (StartPerf) and bpftrace (StartSwitches, StartScript). Tests compare
// pinwatch's reports with what they recorded.
//
// Every time in this package is CLOCK_MONOTONIC in nanoseconds, as bpf_ktime_get_ns.
package witness

import "github.com/pinwatch/pinwatch/internal/workload/client"

// patience bounds every wait for another process. It is long because emulated machines are slow.
const patience = client.Patience
