package timehist

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// errNoCall means that the code does not count durations in a known way.
var errNoCall = errors.New("its code counts durations in no known way")

// FindPair returns the link-time addresses of the two histograms, one behind the other, into which a
// function counts: it passes their addresses to record, timeHistogram's method, before any other
// histogram. code is the function's, at the link-time address pc.
func FindPair(machine elf.Machine, code []byte, pc, record uint64) (first, second uint64, err error) {
	find := callsAMD64
	if machine == elf.EM_AARCH64 {
		find = callsARM64
	}
	var found []uint64
	for addr := range find(code, pc, record) {
		if found = append(found, addr); len(found) == 2 {
			break
		}
	}
	slices.Sort(found)
	if len(found) < 2 || found[1]-found[0] != Size || found[0]%8 != 0 {
		return 0, 0, errNoCall
	}
	return found[0], found[1], nil
}

// callsAMD64 yields the first argument of each call of the function at target: the compiler loads
// the address of a variable by LEA, relative to the instruction pointer. 0 = not loaded so.
func callsAMD64(code []byte, pc, target uint64) func(yield func(uint64) bool) {
	return func(yield func(uint64) bool) {
		var rax uint64
		for len(code) > 0 {
			inst, err := x86asm.Decode(code, 64)
			if err != nil || inst.Len <= 0 || inst.Op == 0 { // Decode returns no error for some unknown bytes
				return
			}
			pc += uint64(inst.Len)
			code = code[inst.Len:]
			rel, direct := inst.Args[0].(x86asm.Rel)
			mem, _ := inst.Args[1].(x86asm.Mem)
			switch {
			case inst.Op == x86asm.CALL:
				if direct && pc+uint64(rel) == target && !yield(rax) {
					return
				}
				rax = 0
			case inst.Args[0] != x86asm.RAX:
			case inst.Op == x86asm.LEA && mem.Base == x86asm.RIP && mem.Index == 0:
				rax = pc + uint64(int64(int32(mem.Disp))) // x86asm does not always extend its sign
			default:
				rax = 0 // it may be overwritten
			}
		}
	}
}

// callsARM64 is callsAMD64 for arm64: ADRP and ADD load an address into x0.
func callsARM64(code []byte, pc, target uint64) func(yield func(uint64) bool) {
	return func(yield func(uint64) bool) {
		var page, x0 uint64
		for ; len(code) >= 4; code, pc = code[4:], pc+4 {
			w := binary.LittleEndian.Uint32(code)
			switch {
			case w&0x9f00001f == 0x90000000: // adrp x0, page: imm19:imm2, the 19 bits signed
				pages := int64(int32(w>>5<<13)>>11) | int64(w>>29&3)
				page, x0 = pc&^4095+uint64(pages<<12), 0
			case w&0xffc003ff == 0x91000000 && page != 0: // add x0, x0, #imm
				page, x0 = 0, page+uint64(w>>10&0xfff)
			case w>>26 == 0x25: // bl: a signed count of words
				if pc+uint64(int64(int32(w<<6)>>4)) == target && !yield(x0) {
					return
				}
				page, x0 = 0, 0
			}
		}
	}
}
