package pclntab

// Queries that only tests make.

// Inlining returns nil if Frames reports inlined calls, else the reason why it does not.
func (s *Symbols) Inlining() error { return s.trees.unknown }

// Name returns the name of the function that contains the run-time address pc, without regard to
// inlined calls. It is "" where Frames returns nil.
func (s *Symbols) Name(pc uint64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, name := s.named(pc)
	return name
}

// Entry returns the run-time entry of the function that contains the run-time address pc.
func (s *Symbols) Entry(pc uint64) (entry uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn, ok := s.find(pc)
	return fn.entry + s.bias, ok
}
