package events

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// Ring reads the kernel's ring buffer. The kernel side never wakes a reader (bpf/emit.h), so it is polled.
type Ring struct {
	Stacks Stacks // those of the records read

	r   *ringbuf.Reader
	rec ringbuf.Record
}

// NewRing maps the ring buffer for reading.
func NewRing(m *ebpf.Map) (*Ring, error) {
	r, err := ringbuf.NewReader(m)
	if err != nil {
		return nil, fmt.Errorf("map ring buffer: %w", err)
	}
	return &Ring{r: r}, nil
}

// Batch is how many records Drain reads at most.
const Batch = MaxHeld / 2

// Drain hands the records in the buffer to out, Batch of them at most, and returns without waiting: a target can fill the buffer
// faster than it is read. more says that there are more. The event is only valid during the call.
func (r *Ring) Drain(out func(*Event)) (more bool, err error) {
	r.r.SetDeadline(time.Unix(1, 0))
	var e Event
	for range Batch {
		err := r.r.ReadInto(&r.rec)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		}
		if err == nil {
			err = Decode(r.rec.RawSample, &e, &r.Stacks)
		}
		if err != nil {
			return false, fmt.Errorf("read ring buffer: %w", err)
		}
		out(&e)
	}
	return true, nil
}

// Close unmaps the ring buffer.
func (r *Ring) Close() error { return r.r.Close() }
