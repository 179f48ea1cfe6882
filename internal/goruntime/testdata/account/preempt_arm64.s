//go:build (go1.14 && !go1.15) || go1.18
// +build go1.14,!go1.15 go1.18

#include "textflag.h"

// func asyncPreempt() uintptr
TEXT ·asyncPreempt(SB), NOSPLIT, $0-8
	MOVD $runtime·asyncPreempt(SB), R0
	MOVD R0, ret+0(FP)
	RET
