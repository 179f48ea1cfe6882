package events

import (
	"unsafe"

	"github.com/pinwatch/pinwatch/bpf"
)

// MaxStacks is how many different stacks are kept, at most 512 bytes each. Few stacks of a program
// lead to a clone or a signal.
const MaxStacks = 1 << 14

const maxFrames = len(bpf.PinwatchUserStack{}.Pcs)

// Stacks numbers the user stacks of events, from 1 on: equal stacks get one number. The zero value
// is empty.
type Stacks struct {
	ids     map[string]uint64
	pcs     [][]uint64
	dropped uint64
}

// PCs returns the stack of a number, innermost first: an instruction's address, then return
// addresses. nil for 0 and for numbers never given.
func (s *Stacks) PCs(id uint64) []uint64 {
	if s == nil || id == 0 || id > uint64(len(s.pcs)) {
		return nil
	}
	return s.pcs[id-1]
}

// Dropped returns how many stacks got no number because there were MaxStacks others.
func (s *Stacks) Dropped() uint64 { return s.dropped }

// add returns the number of a stack; 0 where there is none.
func (s *Stacks) add(depth uint32, pcs *[maxFrames]uint64) uint64 {
	if s == nil || depth == 0 {
		return 0
	}
	return s.number(pcs[:min(int(depth), maxFrames)])
}

// addCalled is add for a stack that lacks its second frame.
func (s *Stacks) addCalled(caller uint64, depth uint32, pcs *[maxFrames]uint64) uint64 {
	if s == nil || depth == 0 || caller == 0 {
		return 0
	}
	var whole [maxFrames]uint64
	whole[0], whole[1] = pcs[0], caller
	n := copy(whole[2:], pcs[1:min(int(depth), maxFrames)])
	return s.number(whole[:2+n])
}

func (s *Stacks) number(pcs []uint64) uint64 {
	key := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(pcs))), 8*len(pcs))
	if id, ok := s.ids[string(key)]; ok { // the compiler allocates nothing for this form
		return id
	}
	if len(s.pcs) == MaxStacks {
		s.dropped++
		return 0
	}
	if s.ids == nil {
		s.ids = map[string]uint64{}
	}
	s.pcs = append(s.pcs, append([]uint64(nil), pcs...))
	id := uint64(len(s.pcs))
	s.ids[string(key)] = id
	return id
}
