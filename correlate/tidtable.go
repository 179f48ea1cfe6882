package correlate

import (
	"math/bits"
	"math/rand/v2"
)

// tidTable finds a thread by its tid. Every event asks for one, some for several: a hash table
// with linear probing, never more than half full, takes half the time of a map. The hash is
// random, so that no target can choose tids that collide.
type tidTable struct {
	slots []tidSlot // a power of two
	n     int
	shift uint8 // from a hash to its slot
	seed  uint32
}

type tidSlot struct {
	tid    uint32
	thread *thread // nil = free
}

const minSlots = 256

func newTIDTable() tidTable {
	s := tidTable{seed: rand.Uint32()}
	s.resize(minSlots)
	return s
}

// home returns the slot where the search for a tid begins. Neighbouring tids must not lie side by
// side, else their searches run into each other: two rounds of murmur3's last step.
func (s *tidTable) home(tid uint32) int {
	h := tid ^ s.seed
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return int(h >> s.shift)
}

func (s *tidTable) next(i int) int { return (i + 1) & (len(s.slots) - 1) }

// get returns the thread of a tid; nil = none.
func (s *tidTable) get(tid uint32) *thread {
	for i := s.home(tid); ; i = s.next(i) {
		if slot := &s.slots[i]; slot.tid == tid || slot.thread == nil {
			return slot.thread
		}
	}
}

// put makes t the thread of its tid.
func (s *tidTable) put(t *thread) {
	if 2*s.n >= len(s.slots) {
		s.resize(2 * len(s.slots))
	}
	i := s.home(t.tid)
	for s.slots[i].thread != nil && s.slots[i].tid != t.tid {
		i = s.next(i)
	}
	if s.slots[i].thread == nil {
		s.n++
	}
	s.slots[i] = tidSlot{t.tid, t}
}

// remove forgets a tid. The entries behind it move up, since a search ends at the first free slot.
func (s *tidTable) remove(tid uint32) {
	i := s.home(tid)
	for ; s.slots[i].tid != tid; i = s.next(i) {
		if s.slots[i].thread == nil {
			return
		}
	}
	if s.slots[i].thread == nil {
		return
	}
	s.n--
	free, mask := i, len(s.slots)-1
	for i = s.next(i); s.slots[i].thread != nil; i = s.next(i) {
		if home := s.home(s.slots[i].tid); (i-home)&mask >= (i-free)&mask { // its search passes the free slot
			s.slots[free], free = s.slots[i], i
		}
	}
	s.slots[free] = tidSlot{}
}

// all visits every thread, in no order.
func (s *tidTable) all(yield func(*thread) bool) {
	for _, slot := range s.slots {
		if slot.thread != nil && !yield(slot.thread) {
			return
		}
	}
}

func (s *tidTable) resize(n int) {
	old := s.slots
	s.slots, s.n, s.shift = make([]tidSlot, n), 0, uint8(33-bits.Len(uint(n)))
	for _, slot := range old {
		if slot.thread != nil {
			s.put(slot.thread)
		}
	}
}
