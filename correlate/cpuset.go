package correlate

import "math/bits"

// cpuSet is a set of CPUs. Those of most machines take no memory of their own.
type cpuSet struct {
	low  uint64   // 0…63
	high []uint64 // 64…
}

func (s *cpuSet) add(cpu uint16) {
	if cpu < 64 {
		s.low |= 1 << cpu
		return
	}
	i := int(cpu)/64 - 1
	s.grow(i + 1)
	s.high[i] |= 1 << (cpu % 64)
}

// grow makes room for so many words of high.
func (s *cpuSet) grow(words int) {
	if n := words - len(s.high); n > 0 {
		s.high = append(s.high, make([]uint64, n)...)
	}
}

func (s *cpuSet) addAll(o *cpuSet) {
	s.low |= o.low
	s.grow(len(o.high))
	for i, word := range o.high {
		s.high[i] |= word
	}
}

// list is the CPUs, ascending.
func (s *cpuSet) list() (cpus []int) {
	for word := range 1 + len(s.high) {
		rest := s.low
		if word > 0 {
			rest = s.high[word-1]
		}
		for ; rest != 0; rest &= rest - 1 {
			cpus = append(cpus, 64*word+bits.TrailingZeros64(rest))
		}
	}
	return cpus
}
