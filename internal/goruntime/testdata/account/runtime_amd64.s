#include "textflag.h"

// func iscgo() bool
TEXT ·iscgo(SB), NOSPLIT, $0-1
	MOVB runtime·iscgo(SB), AX
	MOVB AX, ret+0(FP)
	RET

// func m0() uintptr
TEXT ·m0(SB), NOSPLIT, $0-8
	LEAQ runtime·m0(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func allm() uintptr
TEXT ·allm(SB), NOSPLIT, $0-8
	LEAQ runtime·allm(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func currentG() uintptr
TEXT ·currentG(SB), NOSPLIT, $0-8
	MOVQ (TLS), AX
	MOVQ AX, ret+0(FP)
	RET
