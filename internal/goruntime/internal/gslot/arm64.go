package gslot

import "encoding/binary"

// loadARM64 finds the load of g in code, the code of runtime.load_g at the link-time address pc.
// Between its test of runtime.iscgo and its end it has (runtime/tls_arm64.s; the linkers choose one
// of two forms for x27)
//
//	mrs  x0, tpidr_el0
//	movz x27, #OFFSET                       local-exec; movz and movk when relaxed from
//	adrp x27, GOT; ldr x27, [x27, #GOT]     initial-exec
//	ldr  x28, [x0, x27]                     before Go 1.17: add x0, x0, x27; ldr x28, [x0]
func loadARM64(code []byte, pc uint64) (tlsLoad, error) {
	const (
		mrsX0     = 0xd53bd040 // mrs x0, tpidr_el0
		loadG     = 0xf87b681c // ldr x28, [x0, x27]
		addOffset = 0x8b1b0000 // add x0, x0, x27
		addSwap   = 0x8b000360 // add x0, x27, x0
		loadG0    = 0xf940001c // ldr x28, [x0]
	)
	var words []uint32
	for ; len(code) >= 4; code = code[4:] {
		words = append(words, binary.LittleEndian.Uint32(code))
	}
	for i, w := range words {
		if w != mrsX0 {
			continue
		}
		load, n, err := offsetARM64(words[i+1:], pc+4*uint64(i+1))
		if err != nil {
			return tlsLoad{}, err
		}
		rest := append(words[i+1+n:], 0, 0)
		if rest[0] == loadG || (rest[0] == addOffset || rest[0] == addSwap) && rest[1] == loadG0 {
			return load, nil
		}
		break
	}
	return tlsLoad{}, errNoLoad
}

// offsetARM64 decodes the instructions, the first of them at pc, that load an offset into x27. It
// returns their number.
func offsetARM64(words []uint32, pc uint64) (tlsLoad, int, error) {
	const (
		reg     = 27
		regMask = 0x1f
	)
	var load tlsLoad
	for i, w := range words {
		switch {
		case i == 0 && w&0x9f00001f == 0x90000000|reg: // adrp x27, page
			if len(words) < 2 || words[1]&0xffc003ff != 0xf9400000|reg<<5|reg { // ldr x27, [x27, #imm]
				return load, 0, errNoLoad
			}
			pages := int64(int32(w>>5<<13)>>11) | int64(w>>29&3) // imm19:imm2, the 19 bits signed
			load.got = pc&^4095 + uint64(pages<<12) + uint64(words[1]>>10&0xfff)*8
			return load, 2, nil
		case w&0xff800000 == 0xd2800000 && w&regMask == reg && i == 0: // movz x27, #imm16, lsl #hw
			load.offset = int64(w>>5&0xffff) << ((w >> 21 & 3) * 16)
		case w&0xff800000 == 0xf2800000 && w&regMask == reg && i > 0: // movk
			shift := (w >> 21 & 3) * 16
			load.offset = load.offset&^(0xffff<<shift) | int64(w>>5&0xffff)<<shift
		case i == 0:
			return load, 0, errNoLoad
		default:
			return load, i, nil
		}
	}
	return load, 0, errNoLoad
}
