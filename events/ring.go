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

// Drain hands every record that is in the buffer now to out, and returns without waiting. The event is only valid during the call.
func (r *Ring) Drain(out func(*Event)) error {
	r.r.SetDeadline(time.Unix(1, 0))
	var e Event
	for {
		err := r.r.ReadInto(&r.rec)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read ring buffer: %w", err)
		}
		if err := Decode(r.rec.RawSample, &e); err != nil {
			return fmt.Errorf("read ring buffer: %w", err)
		}
		out(&e)
	}
}

// Close unmaps the ring buffer.
func (r *Ring) Close() error { return r.r.Close() }
