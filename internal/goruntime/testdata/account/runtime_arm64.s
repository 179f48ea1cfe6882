#include "textflag.h"

// func asyncPreempt() uintptr
TEXT ·asyncPreempt(SB), NOSPLIT, $0-8
	MOVD $runtime·asyncPreempt(SB), R0
	MOVD R0, ret+0(FP)
	RET

// func iscgo() bool
TEXT ·iscgo(SB), NOSPLIT, $0-1
	MOVBU runtime·iscgo(SB), R0
	MOVB R0, ret+0(FP)
	RET
