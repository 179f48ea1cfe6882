package goruntime

import "golang.org/x/arch/x86/x86asm"

// loadAMD64 finds the load of g in the first bytes of a function at the link-time address pc. Go's assembler writes one of
// two forms (cmd/internal/obj/x86/obj6.go, CanUse1InsnTLS), and linkers may turn the second into a third:
//
//	mov %fs:OFFSET, %reg                            programs at fixed addresses
//	mov GOT(%rip), %r1; mov %fs:(%r1), %reg         position-independent ones
//	mov $OFFSET, %r1; mov %fs:(%r1), %reg           the same, relaxed
func loadAMD64(code []byte, pc uint64) (tlsLoad, error) {
	var before x86asm.Inst // the instruction before
	for len(code) > 0 {
		inst, err := x86asm.Decode(code, 64)
		if err != nil || inst.Len <= 0 || inst.Op == 0 { // unknown bytes are no error to Decode
			return tlsLoad{}, errNoLoad
		}
		pc += uint64(inst.Len)
		code = code[inst.Len:]
		if from, ok := movFrom(inst); ok {
			if mem, ok := from.(x86asm.Mem); ok && mem.Segment == x86asm.FS {
				return tlsAt(before, mem, pc-uint64(inst.Len))
			}
		}
		if leaves(inst) {
			break
		}
		before = inst
	}
	return tlsLoad{}, errNoLoad
}

// tlsAt returns what mem, an operand in the segment FS, refers to. before stands before the instruction, which is at pc.
func tlsAt(before x86asm.Inst, mem x86asm.Mem, pc uint64) (tlsLoad, error) {
	if mem.Index != 0 || mem.Base == x86asm.RIP {
		return tlsLoad{}, errNoLoad
	}
	if mem.Base == 0 {
		return tlsLoad{offset: displacement(mem)}, nil
	}
	from, ok := movFrom(before)
	if !ok || before.Args[0] != x86asm.Arg(mem.Base) {
		return tlsLoad{}, errNoLoad
	}
	switch from := from.(type) {
	case x86asm.Imm:
		return tlsLoad{offset: int64(from) + displacement(mem)}, nil
	case x86asm.Mem:
		if from.Segment == 0 && from.Base == x86asm.RIP && from.Index == 0 {
			return tlsLoad{offset: displacement(mem), got: pc + uint64(displacement(from))}, nil
		}
	}
	return tlsLoad{}, errNoLoad
}

// displacement returns the displacement of mem, of at most 32 bits. x86asm does not always extend its sign as the processor does.
func displacement(mem x86asm.Mem) int64 { return int64(int32(mem.Disp)) }

// movFrom returns what a 64-bit move into a register moves.
func movFrom(inst x86asm.Inst) (x86asm.Arg, bool) {
	to, ok := inst.Args[0].(x86asm.Reg)
	if inst.Op != x86asm.MOV || !ok || to < x86asm.RAX || to > x86asm.R15 {
		return nil, false
	}
	return inst.Args[1], true
}

// leaves reports whether what follows inst may not be executed after it.
func leaves(inst x86asm.Inst) bool {
	switch inst.Op {
	case x86asm.RET, x86asm.CALL, x86asm.LCALL, x86asm.LJMP, x86asm.LRET, x86asm.UD2, x86asm.INT, x86asm.SYSCALL:
		return true
	}
	_, relative := inst.Args[0].(x86asm.Rel)
	return relative || inst.Op == x86asm.JMP
}
