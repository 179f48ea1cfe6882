package main

import (
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/loader"
)

// sums are what the kernel side adds up instead of sending it (--aggregate). A nil *sums is a session that sends everything.
type sums struct {
	session *loader.Session
	banks   *events.Banks
	bank    int         // that is added to
	last    events.Time // boundary; 0 = none
}

// openSums maps what the session adds up.
func openSums(session *loader.Session) (*sums, error) {
	banks, err := events.NewBanks(session.SampleBanks(), session.MoveBanks())
	if err != nil {
		return nil, err
	}
	return &sums{session: session, banks: banks}, nil
}

func (s *sums) close() {
	if s != nil {
		s.banks.Close()
	}
}

// begin begins the first window and returns when: what was added up before is nobody's.
func (s *sums) begin() (events.Time, error) {
	at, err := s.cross(discard, func(at events.Time) error { return s.session.WindowBegins(uint64(at)) })
	s.read(at, discard)
	return at, err
}

func discard(*events.Event) {}

// next ends a window, begins the one after it and returns when that was. It hands out what it finds to be the ending one's.
func (s *sums) next(out func(*events.Event)) (events.Time, error) {
	return s.cross(out, func(events.Time) error { return nil })
}

// cross tells the kernel side of a boundary while that lies ahead, prepares for it, and waits for it. Until then nothing is added to the bank of
// what comes after it, but what was held up for long or came after a boundary that was told too late: that is the ending window's.
func (s *sums) cross(out func(*events.Event), prepare func(at events.Time) error) (events.Time, error) {
	if s == nil {
		return now(), nil
	}
	s.bank = 1 - s.bank
	const ahead, margin = events.Time(5 * time.Millisecond), time.Millisecond
	for {
		at := (now() + ahead) &^ 1
		if err := s.session.Boundary(uint64(s.last), uint64(at), uint32(s.bank)); err != nil {
			return 0, err
		}
		if err := prepare(at); err != nil {
			return 0, err
		}
		s.banks.Read(s.bank, now(), out)
		if left := at.Sub(now()); left >= margin { // else somebody had the CPU meanwhile, and not every thread has seen it in time
			time.Sleep(left)
			s.last = at
			return at, nil
		}
	}
}

// read hands out what the CPUs have added up in the window that has ended last, as events of a moment in it.
func (s *sums) read(at events.Time, out func(*events.Event)) {
	if s != nil {
		s.banks.Read(1-s.bank, at, out)
	}
}
