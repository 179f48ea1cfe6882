package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/loader"
)

// clocks are how far the other clocks are ahead of CLOCK_MONOTONIC, which all times are read from, at one moment.
type clocks struct{ boot, wall time.Duration }

func readClocks() clocks {
	return clocks{ahead(unix.CLOCK_BOOTTIME), ahead(unix.CLOCK_REALTIME)}
}

// ahead is right to half the time between two readings, of which it takes the closest of a few.
func ahead(clock int32) (offset time.Duration) {
	least := time.Duration(1<<63 - 1)
	for range 5 {
		before := clockTime(unix.CLOCK_MONOTONIC)
		other := clockTime(clock)
		apart := clockTime(unix.CLOCK_MONOTONIC) - before
		if apart < least {
			least, offset = apart, other-before-apart/2
		}
	}
	return offset
}

func clockTime(clock int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		panic(err) // cannot be: the clocks exist and the pointer is valid
	}
	return time.Duration(ts.Nano())
}

// clockMoved is beyond what reading two clocks one after the other can make of it. Adjusting the clock's rate moves none against another.
const clockMoved = 10 * time.Millisecond

// since warns of what happened to the clocks since an earlier moment.
func (c clocks) since(earlier clocks) (warnings []string) {
	suspended := c.boot - earlier.boot
	if suspended > clockMoved {
		warnings = append(warnings, fmt.Sprintf("the machine was suspended for %v: no time counts that, and waits of that moment are not what they seem",
			suspended.Round(time.Millisecond)))
	}
	if step := c.wall - earlier.wall - suspended; step.Abs() > clockMoved {
		way := "forward"
		if step < 0 {
			way = "back"
		}
		warnings = append(warnings, fmt.Sprintf("the wall clock was set %s by %v: window.wall_end is by the new one, and no other time is affected",
			way, step.Abs().Round(time.Millisecond)))
	}
	return warnings
}

// coarse is a step of the clock that shows in times of a few microseconds.
const coarse = 200 * time.Nanosecond

// clockCaveats are what this machine's clock and hypervisor do to all times.
func clockCaveats(c loader.Calibration, h host.Info) (warnings []string) {
	if h.Clocksource != "" && h.Clocksource != "tsc" && h.Clocksource != "arch_sys_counter" {
		warnings = append(warnings, fmt.Sprintf("times are read from %s, not from the processor's own counter: each reading takes %.0f ns, and programs read it often",
			h.Clocksource, c.ClockRead))
	}
	var res unix.Timespec
	step := time.Duration(c.ClockStep)
	if unix.ClockGetres(unix.CLOCK_MONOTONIC, &res) == nil {
		step = max(step, time.Duration(res.Nano()))
	}
	if step > coarse {
		warnings = append(warnings, fmt.Sprintf("the clock moves in steps of %v: shorter differences mean nothing", step))
	}
	if h.Virtualization != "none" && h.Virtualization != "unknown" && h.Virtualization != "" {
		warnings = append(warnings, fmt.Sprintf("a virtual machine (%s): the time in which the hypervisor runs something else is in the samples, above all in the longest", h.Virtualization))
	}
	return warnings
}
