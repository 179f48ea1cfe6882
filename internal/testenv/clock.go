package testenv

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now is CLOCK_MONOTONIC in nanoseconds, the clock of every time in this package and of
// bpf_ktime_get_ns.
func Now() int64 { return int64(readClock(unix.CLOCK_MONOTONIC)) }

func readClock(clock int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		panic(err) // cannot be: the clock exists and the pointer is valid
	}
	return time.Duration(ts.Nano())
}
