#include "textflag.h"

// func asyncPreempt() uintptr
TEXT ·asyncPreempt(SB), NOSPLIT, $0-8
	LEAQ runtime·asyncPreempt(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func iscgo() bool
TEXT ·iscgo(SB), NOSPLIT, $0-1
	MOVB runtime·iscgo(SB), AX
	MOVB AX, ret+0(FP)
	RET
