package goruntime

import (
	"errors"
	"fmt"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime/internal/timehist"
	"github.com/pinwatch/pinwatch/internal/goruntime/offsets"
)

// Functions that lead to the runtime's account of stops of the world.
const (
	fnRecord    = "runtime.(*timeHistogram).record"
	fnStopWorld = "runtime.stopTheWorldWithSema"
	fnNext      = "runtime.startTheWorldWithSema" // behind it in the source
)

// maxStopCode bounds the code of stopTheWorldWithSema, in bytes: it has some 1.5 KB.
const maxStopCode = 8 << 10

// Stopping is the runtime's own account of how long it took to stop the world, since the program
// began, at one moment. The program reads the same as /sched/pauses/stopping of runtime/metrics.
type Stopping struct {
	At        time.Time // after it was read
	gc, other timehist.Histogram
}

// StopTimes are how long stops took, as far as the runtime's buckets tell.
type StopTimes = timehist.Durations

// findStopping finds the account, by the code that counts stops: only .symtab would have the address
// of runtime.sched, which holds it. addrs holds link-time addresses.
func (r *Runtime) findStopping(addrs map[string]uint64) (uint64, error) {
	switch v, ok := offsets.ParseRelease(r.GoVersion); {
	case !ok:
		return 0, errors.New("the program's release of Go is not known")
	case v.Minor < 22:
		return 0, errors.New("there is one since Go 1.22")
	}
	record, stop := addrs[fnRecord], addrs[fnStopWorld]
	if record == 0 || stop == 0 {
		return 0, fmt.Errorf("the program has no function %s or %s", fnRecord, fnStopWorld)
	}
	size := uint64(maxStopCode)
	if next := addrs[fnNext]; next > stop {
		size = min(size, next-stop)
	}
	code := make([]byte, size)
	if !r.obj.img.Executable(stop) {
		return 0, fmt.Errorf("%s at %#x is not in an executable segment", fnStopWorld, stop)
	}
	if err := r.obj.img.Space().Read(code, stop); err != nil {
		return 0, fmt.Errorf("read the code of %s: %w", fnStopWorld, err)
	}
	// schedt has stwStoppingTimeGC, then stwStoppingTimeOther.
	gc, _, err := timehist.FindPair(r.obj.img.Machine, code, stop, record)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", fnStopWorld, err)
	}
	return gc, nil
}

// Stopping reads the runtime's account of its stops.
func (r *Runtime) Stopping() (*Stopping, error) {
	if r.stoppingErr != nil {
		return nil, r.stoppingErr
	}
	s, err := r.space()
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 2*timehist.Size)
	if err := s.Read(buf, r.stopping); err != nil {
		return nil, err
	}
	return &Stopping{At: time.Now(), gc: timehist.Decode(buf), other: timehist.Decode(buf[timehist.Size:])}, nil
}

// Stops are the stops of one kind.
type Stops struct {
	Kind        string // as in the runtime's metrics: "gc" or "other"
	All, Longer StopTimes
}

// Since returns the stops that ended between two moments, and those among them whose bucket begins at
// long or above.
func (s *Stopping) Since(before *Stopping, long time.Duration) ([]Stops, error) {
	stops := []Stops{{Kind: "gc"}, {Kind: "other"}}
	elapsed := s.At.Sub(before.At) + readTime
	for i, h := range [][2]*timehist.Histogram{{&s.gc, &before.gc}, {&s.other, &before.other}} {
		var err error
		stops[i].All, stops[i].Longer, err = h[0].Since(h[1], int64(elapsed), int64(long))
		if err != nil {
			return nil, err
		}
	}
	return stops, nil
}

// readTime is more than what passes between a read of memory and of the clock.
const readTime = time.Second
