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
	if n := i + 1 - len(s.high); n > 0 {
		s.high = append(s.high, make([]uint64, n)...)
	}
	s.high[i] |= 1 << (cpu % 64)
}

func (s *cpuSet) addAll(o *cpuSet) {
	for _, cpu := range o.list() {
		s.add(uint16(cpu))
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
