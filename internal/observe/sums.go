package observe

import (
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/loader"
)

// sums reads what the kernel side adds up instead of sending it (Config.Aggregate). A nil *sums is
// a session that sends everything.
type sums struct {
	session *loader.Session
	banks   *events.Banks
	bank    int         // the bank that the kernel adds to, 0 or 1
	last    events.Time // last boundary; 0 = none
}

// openSums maps what the session adds up.
func openSums(session *loader.Session) (*sums, error) {
	banks, err := events.NewBanks(session.SampleBanks(), session.MoveBanks())
	if err != nil {
		return nil, err
	}
	return &sums{session: session, banks: banks}, nil
}

func (s *sums) close() { s.banks.Close() }

// begin begins the first window and returns when. It discards what was added up before.
func (s *sums) begin(now func() events.Time) (events.Time, error) {
	at, err := s.cross(now, discard, func(at events.Time) error { return s.session.WindowBegins(uint64(at)) })
	s.read(at, discard)
	return at, err
}

func discard(*events.Event) {}

// next ends a window, begins the one after it and returns when that was. It passes to out what
// belongs to the ending one.
func (s *sums) next(now func() events.Time, out func(*events.Event)) (events.Time, error) {
	return s.cross(now, out, func(events.Time) error { return nil })
}

// cross announces a boundary to the kernel side while it lies ahead, prepares for it, and waits for
// it. Until then the bank of the next window gets only what was delayed for long, or came after a
// boundary that was announced too late. That belongs to the ending window.
func (s *sums) cross(now func() events.Time, out func(*events.Event),
	prepare func(boundary events.Time) error) (events.Time, error) {
	if s == nil {
		return now(), nil
	}
	s.bank = 1 - s.bank
	const ahead, margin = events.Time(5 * time.Millisecond), time.Millisecond
	for {
		boundary := (now() + ahead) &^ 1
		if err := s.session.Boundary(uint64(s.last), uint64(boundary), uint32(s.bank)); err != nil {
			return 0, err
		}
		if err := prepare(boundary); err != nil {
			return 0, err
		}
		s.banks.Read(s.bank, now(), out)
		// With less left, another process had the CPU, and some CPU may have seen the boundary too
		// late.
		if left := boundary.Sub(now()); left >= margin {
			time.Sleep(left)
			s.last = boundary
			return boundary, nil
		}
	}
}

// read passes to out what the CPUs have added up in the window that ended last, as events of the
// moment at.
func (s *sums) read(at events.Time, out func(*events.Event)) {
	if s != nil {
		s.banks.Read(1-s.bank, at, out)
	}
}
