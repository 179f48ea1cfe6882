package events

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// Ring reads the records of the kernel side: the ring buffer and the rings of turns. The kernel
// side never wakes a reader (bpf/emit.h), so it is polled.
type Ring struct {
	Stacks Stacks // of the records read

	r     *ringbuf.Reader
	rec   ringbuf.Record
	turns *turnRings
}

// NewRing maps the ring buffer, the rings of turns with turnsPerCPU each, and the CPUs' slots for
// reading.
func NewRing(ring, turns, slots *ebpf.Map, turnsPerCPU int) (*Ring, error) {
	t, err := newTurnRings(turns, slots, turnsPerCPU)
	if err != nil {
		return nil, err
	}
	r, err := ringbuf.NewReader(ring)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map ring buffer: %w", err), t.Close())
	}
	return &Ring{r: r, turns: t}, nil
}

// batch is how many records of the ring buffer, and how many turns, Drain reads at most.
const batch = maxHeld / 4

// Drained is the outcome of a Drain.
type Drained struct {
	Until Time    // all records stamped before this that had arrived have been passed on
	Fill  float64 // how full the fullest buffer was found, from 0 to 1
}

// Drain passes the records stamped before now to out, a batch at most, and returns without waiting:
// a target can fill the buffers faster than they are read. When there are more, Until is before
// now. The event is only valid during the call.
func (r *Ring) Drain(now Time, out func(*Event)) (Drained, error) {
	d := Drained{Until: now, Fill: float64(r.r.AvailableBytes()) / float64(r.r.BufferSize())}
	r.r.SetDeadline(time.Unix(1, 0))
	var e Event
	for n := 0; ; n++ {
		err := r.r.ReadInto(&r.rec)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err == nil {
			err = Decode(r.rec.RawSample, &e, &r.Stacks)
		}
		if err != nil {
			return d, fmt.Errorf("read ring buffer: %w", err)
		}
		out(&e)
		if n == batch {
			d.Until = min(now, e.Time)
			break
		}
	}
	end, fill := r.turns.drain(d.Until, max(1, batch/uint64(r.turns.cpus)), out)
	return Drained{Until: end, Fill: max(d.Fill, fill)}, nil
}

// LostTurns returns how many switch records have found no room since the session began.
func (r *Ring) LostTurns() uint64 { return r.turns.lost() }

// UntrackedTurns returns how many turns of threads that found no room for their state there were
// since the session began.
func (r *Ring) UntrackedTurns() uint64 { return r.turns.untracked() }

// Close unmaps the buffers.
func (r *Ring) Close() error { return errors.Join(r.r.Close(), r.turns.Close()) }
