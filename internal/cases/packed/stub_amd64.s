#include "textflag.h"

// The stub unpacks the pieces of the table into anonymous memory and jumps to the program, with the
// stack and the auxiliary vector as the kernel made them. It is copied: it refers to nothing by address
// but the table, at base + tableAt of main.go.
TEXT stub<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVL	$0x10002000, R12
next:
	MOVQ	0(R12), DI	// addr
	MOVQ	8(R12), SI	// size
	TESTQ	DI, DI
	JZ	done
	MOVL	$3, DX		// PROT_READ|PROT_WRITE
	MOVL	$0x32, R10	// MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED
	MOVQ	$-1, R8
	XORL	R9, R9
	MOVL	$9, AX		// mmap
	SYSCALL
	MOVQ	16(R12), SI	// from
	MOVQ	24(R12), CX	// length
	MOVQ	32(R12), DI	// to
copy:
	TESTQ	CX, CX
	JZ	protect
	MOVBLZX	(SI), AX
	XORL	$0x5a, AX
	MOVB	AX, (DI)
	INCQ	SI
	INCQ	DI
	DECQ	CX
	JMP	copy
protect:
	MOVQ	0(R12), DI
	MOVQ	8(R12), SI
	MOVQ	40(R12), DX	// prot
	MOVL	$10, AX		// mprotect
	SYSCALL
	ADDQ	$48, R12
	JMP	next
done:
	XORL	DX, DX		// no function to call at exit
	JMP	SI

TEXT stubEnd<>(SB), NOSPLIT|NOFRAME, $0-0
	RET

// func stubCode() (start, end uintptr)
TEXT ·stubCode(SB), NOSPLIT, $0-16
	LEAQ	stub<>(SB), AX
	MOVQ	AX, start+0(FP)
	LEAQ	stubEnd<>(SB), AX
	MOVQ	AX, end+8(FP)
	RET
