package observe

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/loader"
)

// clocks holds how far two other clocks are ahead of CLOCK_MONOTONIC at one moment. All times are
// read from CLOCK_MONOTONIC.
type clocks struct{ boot, wall time.Duration }

func readClocks() clocks {
	return clocks{ahead(unix.CLOCK_BOOTTIME), ahead(unix.CLOCK_REALTIME)}
}

// ahead reads how far a clock is ahead of CLOCK_MONOTONIC. It reads a few times and takes the
// reading with the shortest distance between two reads of CLOCK_MONOTONIC; the error is at most
// half that distance.
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

// clockMoved is more than the error of reading two clocks one after the other. Adjusting the
// clock's rate moves no clock against another.
const clockMoved = 10 * time.Millisecond

// changes returns a warning for each change of the clocks since an earlier moment.
func (c clocks) changes(earlier clocks) (warnings []string) {
	suspended := c.boot - earlier.boot
	if suspended > clockMoved {
		warnings = append(warnings, fmt.Sprintf(
			"the machine was suspended for %v: no time includes that, and a wait that spans it is shown too short",
			suspended.Round(time.Millisecond)))
	}
	if step := c.wall - earlier.wall - suspended; step.Abs() > clockMoved {
		direction := "forward"
		if step < 0 {
			direction = "back"
		}
		warnings = append(warnings, fmt.Sprintf(
			"the wall clock was set %s by %v: window.wall_end is by the new time, and no other time is affected",
			direction, step.Abs().Round(time.Millisecond)))
	}
	return warnings
}

// coarse is a step of the clock that is visible in times of a few microseconds.
const coarse = 200 * time.Nanosecond

// clockCaveats returns a warning for each effect of this machine's clock and hypervisor on all
// times.
func clockCaveats(c loader.Calibration, h host.Info) (warnings []string) {
	if h.Clocksource != "" && h.Clocksource != "tsc" && h.Clocksource != "arch_sys_counter" {
		warnings = append(warnings, fmt.Sprintf(
			"times are read from %s, not from the processor's counter: each reading takes %.0f ns, "+
				"and programs read it often", h.Clocksource, c.ClockRead))
	}
	var res unix.Timespec
	step := time.Duration(c.ClockStep)
	if unix.ClockGetres(unix.CLOCK_MONOTONIC, &res) == nil {
		step = max(step, time.Duration(res.Nano()))
	}
	if step > coarse {
		warnings = append(warnings, fmt.Sprintf(
			"the clock moves in steps of %v: shorter differences mean nothing", step))
	}
	if h.Virtualization != "none" && h.Virtualization != "unknown" && h.Virtualization != "" {
		warnings = append(warnings, fmt.Sprintf(
			"a virtual machine (%s): the time in which the hypervisor runs something else is in the samples, "+
				"above all in the longest", h.Virtualization))
	}
	return warnings
}
