package observe

import (
	"context"
	"errors"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/loader"
)

// sums reads what the kernel side adds up instead of sending it (Config.Aggregate). A nil *sums is
// a session that sends everything.
type sums struct {
	kernel boundaries
	banks  banks
	sleep  func(time.Duration)
	bank   int         // the bank that the kernel adds to, 0 or 1
	last   events.Time // last boundary; 0 = none
	missed bool        // a boundary was announced and may have been crossed without us
}

// boundaries sets the beginnings of windows on the kernel side: a loader.Session.
type boundaries interface {
	Boundary(last, at uint64, bank uint32) error
	WindowBegins(at uint64) error
	AwaitRuns()
}

// banks are an events.Banks.
type banks interface {
	Read(bank int, moment events.Time, out func(*events.Event))
	Close() error
}

// openSums maps what the session adds up.
func openSums(session *loader.Session, distance func(from, to int) string) (*sums, error) {
	maps := session.Banks()
	banks, err := events.NewBanks(maps.Samples, maps.Moves, maps.Distances, distance)
	if err != nil {
		return nil, err
	}
	return &sums{kernel: session, banks: banks, sleep: time.Sleep}, nil
}

func (s *sums) close() { s.banks.Close() }

// begin begins the first window and returns when. It discards what was added up before.
func (s *sums) begin(ctx context.Context, now func() events.Time) (events.Time, error) {
	at, err := s.cross(ctx, now, discard, func(at events.Time) error { return s.kernel.WindowBegins(uint64(at)) })
	s.read(at, discard)
	return at, err
}

func discard(*events.Event) {}

// next ends a window, begins the one after it and returns when that was. It passes to out what
// belongs to the ending one. If ctx ends first, the window goes on.
func (s *sums) next(ctx context.Context, now func() events.Time, out func(*events.Event)) (events.Time, error) {
	return s.cross(ctx, now, out, func(events.Time) error { return nil })
}

// A boundary is announced this long ahead. If preparing for it took longer, it is announced again,
// twice as long ahead, at most so many times: 5 s in all.
const (
	boundaryAhead    = events.Time(5 * time.Millisecond)
	boundaryAttempts = 10
	boundaryMargin   = time.Millisecond
)

var errBoundary = errors.New("the machine is too busy to end a window: leave out --aggregate")

// cross announces a boundary to the kernel side while it lies ahead, prepares for it, and waits for
// it. Until then the bank of the next window gets only what was delayed for long, or came after a
// boundary that was announced too late. Both belong to the ending window. A boundary that was given
// up counts as announced too late.
func (s *sums) cross(ctx context.Context, now func() events.Time, out func(*events.Event),
	prepare func(boundary events.Time) error) (events.Time, error) {
	if s == nil {
		return now(), nil
	}
	next := 1 - s.bank
	for attempt := range boundaryAttempts {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		boundary := (now() + boundaryAhead<<attempt) &^ 1
		if err := s.kernel.Boundary(uint64(s.last), uint64(boundary), uint32(next)); err != nil {
			return 0, err
		}
		if err := prepare(boundary); err != nil {
			return 0, err
		}
		if s.missed { // programs that saw it may still be adding to the next bank
			s.kernel.AwaitRuns()
		}
		s.banks.Read(next, now(), out)
		// With less left, another process had the CPU, and some CPU may have seen the boundary too
		// late.
		if left := boundary.Sub(now()); left >= boundaryMargin {
			s.sleep(left)
			s.bank, s.last, s.missed = next, boundary, false
			return boundary, nil
		}
		s.missed = true
	}
	return 0, errBoundary
}

// read passes to out what the CPUs have added up in the window that ended last, as events of the
// moment at. A program that runs across the boundary may still be adding.
func (s *sums) read(at events.Time, out func(*events.Event)) {
	if s != nil {
		s.kernel.AwaitRuns()
		s.banks.Read(1-s.bank, at, out)
	}
}
