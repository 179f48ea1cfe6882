package correlate

import (
	"math/bits"
	"math/rand/v2"
)

// threads are the threads by tid, which every event asks for, some more than once: a hash table with linear probing, never more than
// half full, takes half the time of a map. The hash is random, so that no target can choose tids that collide.
type threads struct {
	slots []slot // a power of two; t == nil where free
	n     int
	shift uint8 // from a hash to its slot
	seed  uint32
}

type slot struct {
	tid uint32
	t   *thread
}

const minSlots = 256

func newThreads() threads {
	s := threads{seed: rand.Uint32()}
	s.resize(minSlots)
	return s
}

// home is where a search for a tid begins. Neighbouring tids must not lie side by side, else their searches run into each other: two
// rounds of murmur3's last step.
func (s *threads) home(tid uint32) int {
	h := tid ^ s.seed
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return int(h >> s.shift)
}

func (s *threads) next(i int) int { return (i + 1) & (len(s.slots) - 1) }

// get is the thread of that tid; nil = none.
func (s *threads) get(tid uint32) *thread {
	for i := s.home(tid); ; i = s.next(i) {
		if at := &s.slots[i]; at.tid == tid || at.t == nil {
			return at.t
		}
	}
}

// put makes t the thread of its tid.
func (s *threads) put(t *thread) {
	if 2*s.n >= len(s.slots) {
		s.resize(2 * len(s.slots))
	}
	i := s.home(t.tid)
	for s.slots[i].t != nil && s.slots[i].tid != t.tid {
		i = s.next(i)
	}
	if s.slots[i].t == nil {
		s.n++
	}
	s.slots[i] = slot{t.tid, t}
}

// remove forgets a tid. Those behind it move up: a search ends at the first free slot.
func (s *threads) remove(tid uint32) {
	i := s.home(tid)
	for ; s.slots[i].tid != tid; i = s.next(i) {
		if s.slots[i].t == nil {
			return
		}
	}
	if s.slots[i].t == nil {
		return
	}
	s.n--
	free, mask := i, len(s.slots)-1
	for i = s.next(i); s.slots[i].t != nil; i = s.next(i) {
		if home := s.home(s.slots[i].tid); (i-home)&mask >= (i-free)&mask { // its search passes the free slot
			s.slots[free], free = s.slots[i], i
		}
	}
	s.slots[free] = slot{}
}

// all visits every thread, in no order.
func (s *threads) all(yield func(*thread) bool) {
	for _, at := range s.slots {
		if at.t != nil && !yield(at.t) {
			return
		}
	}
}

func (s *threads) resize(n int) {
	old := s.slots
	s.slots, s.n, s.shift = make([]slot, n), 0, uint8(33-bits.Len(uint(n)))
	for _, at := range old {
		if at.t != nil {
			s.put(at.t)
		}
	}
}
