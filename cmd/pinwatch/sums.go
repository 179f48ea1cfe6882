package main

import (
	"math"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/loader"
)

// sums are what the kernel side adds up instead of sending it (--aggregate). A nil *sums is a session that sends everything.
type sums struct {
	session *loader.Session
	banks   *events.Banks
	epoch   uint32
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
	if s == nil {
		return now(), nil
	}
	if err := s.session.WindowBegins(math.MaxUint64); err != nil {
		return 0, err
	}
	at, err := s.next()
	if err != nil {
		return 0, err
	}
	s.read(at, func(*events.Event) {})
	return at, s.session.WindowBegins(uint64(at))
}

// next ends an epoch and returns when: what a thread does after that it tells apart from what it did before.
func (s *sums) next() (events.Time, error) {
	if s == nil {
		return now(), nil
	}
	s.epoch++
	err := s.session.NextEpoch(s.epoch)
	return now(), err
}

// read hands out what the CPUs have added up in the epoch that has ended last, as events of a moment in it.
func (s *sums) read(at events.Time, out func(*events.Event)) {
	if s != nil {
		s.banks.Read(s.epoch-1, at, out)
	}
}
