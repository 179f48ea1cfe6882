package events

import "time"

// Time is a point on the kernel's CLOCK_MONOTONIC in nanoseconds (bpf_ktime_get_ns). It does not count suspend. 0 means not known.
type Time int64

// Sub returns the time from u to t; negative when t is earlier.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }
