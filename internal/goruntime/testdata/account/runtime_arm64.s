#include "textflag.h"

// func iscgo() bool
TEXT ·iscgo(SB), NOSPLIT, $0-1
	MOVBU runtime·iscgo(SB), R0
	MOVB R0, ret+0(FP)
	RET

// func m0() uintptr
TEXT ·m0(SB), NOSPLIT, $0-8
	MOVD $runtime·m0(SB), R0
	MOVD R0, ret+0(FP)
	RET

// func allm() uintptr
TEXT ·allm(SB), NOSPLIT, $0-8
	MOVD $runtime·allm(SB), R0
	MOVD R0, ret+0(FP)
	RET

// func currentG() uintptr
TEXT ·currentG(SB), NOSPLIT, $0-8
	MOVD g, ret+0(FP)
	RET

// func threadPointer() uintptr
TEXT ·threadPointer(SB), NOSPLIT, $0-8
	WORD $0xd53bd040 // MRS TPIDR_EL0, R0, which the assembler of Go 1.13 lacks
	MOVD R0, ret+0(FP)
	RET
