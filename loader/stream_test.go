package loader

import (
	"fmt"

	"github.com/pinwatch/pinwatch/events"
)

// streamValidator checks the events themselves, in the order of their times: turns of one thread do
// not overlap, and no CPU runs two threads at once. The zero value has seen nothing.
type streamValidator struct {
	left   map[uint32]events.Time // each thread's last switch-out
	free   map[uint16]events.Time // each CPU's
	errors []error
}

// add checks one event.
func (v *streamValidator) add(e *events.Event) {
	if v.left == nil {
		v.left, v.free = map[uint32]events.Time{}, map[uint16]events.Time{}
	}
	switch e.Kind {
	case events.NewTask:
		delete(v.left, e.TID)
	case events.Switch:
		v.turn(e)
	}
}

func (v *streamValidator) turn(e *events.Event) {
	away := events.Time(e.Args[events.ArgRunqNS] + e.Args[events.ArgBlockedNS])
	in := e.Time - events.Time(e.Args[events.ArgRunNS])
	out := in - away
	if last := v.left[e.TID]; e.Has(events.SwitchRun|events.SwitchOff) && last > out {
		v.errors = append(v.errors,
			fmt.Errorf("thread %d: a turn begins at %d, the one before ended at %d", e.TID, out, last))
	}
	if free := v.free[e.CPU]; e.Has(events.SwitchRun) && free > in {
		v.errors = append(v.errors, fmt.Errorf("CPU %d: thread %d runs from %d, another until %d", e.CPU, e.TID, in, free))
	}
	v.left[e.TID], v.free[e.CPU] = e.Time, e.Time
}
