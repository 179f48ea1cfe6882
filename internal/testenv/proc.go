package testenv

import "golang.org/x/sys/unix"

// Now is CLOCK_MONOTONIC in nanoseconds, the clock of every time in this package and of
// bpf_ktime_get_ns.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // every kernel has this clock
	}
	return ts.Nano()
}
