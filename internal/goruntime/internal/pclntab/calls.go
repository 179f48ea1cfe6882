package pclntab

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

// A call is an instruction that continues in another function: a call or a jump. Addresses are
// link-time addresses.
type call struct {
	at       uint64
	target   uint64
	indirect bool // the target is in a register or in memory
}

// callsAMD64 returns the calls, and the jumps out of the function, in the code of the function at
// entry.
func callsAMD64(code []byte, entry uint64) ([]call, error) {
	var calls []call
	for pos := 0; pos < len(code); {
		inst, err := x86asm.Decode(code[pos:], 64)
		if err == nil && inst.Op == 0 { // Decode returns an unknown byte as a prefix
			err = x86asm.ErrUnrecognized
		}
		if err != nil {
			return nil, fmt.Errorf("decode the instruction at %#x: %w", entry+uint64(pos), err)
		}
		c := call{at: entry + uint64(pos)}
		pos += inst.Len
		if rel, ok := inst.Args[0].(x86asm.Rel); ok {
			c.target = entry + uint64(pos) + uint64(rel)
		} else {
			c.indirect = inst.Op == x86asm.CALL || inst.Op == x86asm.JMP || inst.Op == x86asm.LCALL || inst.Op == x86asm.LJMP
			if !c.indirect {
				continue
			}
		}
		if inst.Op == x86asm.CALL || c.outside(code, entry) {
			calls = append(calls, c)
		}
	}
	return calls, nil
}

// outside reports whether c continues outside the code of the function at entry.
func (c call) outside(code []byte, entry uint64) bool {
	return c.indirect || c.target-entry >= uint64(len(code))
}

// callsARM64 is callsAMD64 for arm64. It may take a constant between the instructions for a call.
func callsARM64(code []byte, entry uint64) ([]call, error) {
	var calls []call
	for pos := 0; pos+4 <= len(code); pos += 4 {
		w := binary.LittleEndian.Uint32(code[pos:])
		c := call{at: entry + uint64(pos)}
		switch {
		case w>>26 == 0x05, w>>26 == 0x25: // b, bl: a signed count of words
			c.target = c.at + uint64(int64(int32(w<<6)>>4))
		case w&0xffdffc1f == 0xd61f0000: // br, blr
			c.indirect = true
		default:
			continue
		}
		if w>>31 == 1 || c.outside(code, entry) {
			calls = append(calls, c)
		}
	}
	return calls, nil
}
