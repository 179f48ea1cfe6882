package events

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// Ring reads the records of the kernel side: the ring buffers and the rings of turns. The kernel
// side never wakes a reader (bpf/emit.h), so it is polled.
type Ring struct {
	Stacks Stacks // of the records read
	// Executed is what the last Exec record holds besides its event. It is valid while Drain passes
	// that on.
	Executed Executed

	shared []*ringbuf.Reader // by some CPUs each
	maps   []*ebpf.Map       // of shared
	rec    ringbuf.Record
	turns  *turnRings
}

// NewRing maps the ring buffers, the rings of turns with turnsPerCPU each, and the CPUs' slots for
// reading.
func NewRing(shared []*ebpf.Map, turns, slots *ebpf.Map, turnsPerCPU int) (_ *Ring, err error) {
	r := &Ring{maps: shared}
	if r.turns, err = newTurnRings(turns, slots, turnsPerCPU); err != nil {
		return nil, err
	}
	for _, m := range shared {
		reader, err := ringbuf.NewReader(m)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("map ring buffer: %w", err), r.Close())
		}
		reader.SetDeadline(time.Unix(1, 0)) // reading never waits
		r.shared = append(r.shared, reader)
	}
	return r, nil
}

// FDs are the file descriptors of the ring buffers, for epoll(7). The Ring keeps them open.
func (r *Ring) FDs() (fds []int) {
	for _, m := range r.maps {
		fds = append(fds, m.FD())
	}
	return fds
}

// batch is how many records of the ring buffers, and how many turns, Drain reads at most.
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
	d := Drained{Until: now}
	for _, shared := range r.shared {
		d.Fill = max(d.Fill, float64(shared.AvailableBytes())/float64(shared.BufferSize()))
		end, err := r.drain(shared, now, batch/len(r.shared), out)
		if err != nil {
			return d, fmt.Errorf("read ring buffer: %w", err)
		}
		d.Until = min(d.Until, end)
	}
	end, fill := r.turns.drain(d.Until, max(1, batch/uint64(r.turns.cpus)), out)
	return Drained{Until: end, Fill: max(d.Fill, fill)}, nil
}

// drain passes on what a ring buffer holds, a batch at most. It returns the time up to which nothing
// is left, at most now.
func (r *Ring) drain(shared *ringbuf.Reader, now Time, batch int, out func(*Event)) (Time, error) {
	var e Event
	for n := 0; ; n++ {
		err := shared.ReadInto(&r.rec)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return now, nil
		}
		if err == nil {
			err = Decode(r.rec.RawSample, &e, &r.Stacks)
		}
		if err != nil {
			return now, err
		}
		if e.Kind == Exec {
			r.Executed = decodeExecuted(r.rec.RawSample)
		}
		out(&e)
		if n == batch {
			return min(now, e.Time), nil
		}
	}
}

// LostTurns returns how many switch records have found no room since the session began.
func (r *Ring) LostTurns() uint64 { return r.turns.lost() }

// UntrackedTurns returns how many turns of threads that found no room for their state there were
// since the session began.
func (r *Ring) UntrackedTurns() uint64 { return r.turns.untracked() }

// Close unmaps the buffers.
func (r *Ring) Close() error {
	err := r.turns.Close()
	for _, shared := range r.shared {
		err = errors.Join(err, shared.Close())
	}
	return err
}
