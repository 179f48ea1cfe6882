package gslot

import "golang.org/x/arch/x86/x86asm"

// loadAMD64 finds the load of g in the first bytes of the function at the link-time address pc.
// Go's assembler writes one of two forms (cmd/internal/obj/x86/obj6.go, CanUse1InsnTLS). Linkers
// may replace the second by a third:
//
//	mov %fs:OFFSET, %reg                            programs at fixed addresses
//	mov GOT(%rip), %r1; mov %fs:(%r1), %reg         position-independent ones
//	mov $OFFSET, %r1; mov %fs:(%r1), %reg           the same, relaxed
func loadAMD64(code []byte, pc uint64) (tlsLoad, error) {
	var before x86asm.Inst
	for len(code) > 0 {
		inst, err := x86asm.Decode(code, 64)
		if err != nil || inst.Len <= 0 || inst.Op == 0 { // Decode returns no error for some unknown bytes
			return tlsLoad{}, errNoLoad
		}
		pc += uint64(inst.Len)
		code = code[inst.Len:]
		if source, ok := movSource(inst); ok {
			if mem, ok := source.(x86asm.Mem); ok && mem.Segment == x86asm.FS {
				return tlsOperand(before, mem, pc-uint64(inst.Len))
			}
		}
		if diverts(inst) {
			break
		}
		before = inst
	}
	return tlsLoad{}, errNoLoad
}

// tlsOperand decodes mem, an operand in the segment FS of the instruction at pc. before is the
// instruction before it.
func tlsOperand(before x86asm.Inst, mem x86asm.Mem, pc uint64) (tlsLoad, error) {
	if mem.Index != 0 || mem.Base == x86asm.RIP {
		return tlsLoad{}, errNoLoad
	}
	if mem.Base == 0 {
		return tlsLoad{offset: displacement(mem)}, nil
	}
	source, ok := movSource(before)
	if !ok || before.Args[0] != x86asm.Arg(mem.Base) {
		return tlsLoad{}, errNoLoad
	}
	switch source := source.(type) {
	case x86asm.Imm:
		return tlsLoad{offset: int64(source) + displacement(mem)}, nil
	case x86asm.Mem:
		if source.Segment == 0 && source.Base == x86asm.RIP && source.Index == 0 {
			return tlsLoad{offset: displacement(mem), got: pc + uint64(displacement(source))}, nil
		}
	}
	return tlsLoad{}, errNoLoad
}

// displacement returns the displacement of mem, which has at most 32 bits. x86asm does not always
// extend its sign.
func displacement(mem x86asm.Mem) int64 { return int64(int32(mem.Disp)) }

// movSource returns the source of a 64-bit move into a register.
func movSource(inst x86asm.Inst) (x86asm.Arg, bool) {
	target, ok := inst.Args[0].(x86asm.Reg)
	if inst.Op != x86asm.MOV || !ok || target < x86asm.RAX || target > x86asm.R15 {
		return nil, false
	}
	return inst.Args[1], true
}

// diverts reports whether the next instruction may not be executed after inst.
func diverts(inst x86asm.Inst) bool {
	switch inst.Op {
	case x86asm.RET, x86asm.CALL, x86asm.LCALL, x86asm.LJMP, x86asm.LRET, x86asm.UD2, x86asm.INT, x86asm.SYSCALL:
		return true
	}
	_, relative := inst.Args[0].(x86asm.Rel)
	return relative || inst.Op == x86asm.JMP
}
