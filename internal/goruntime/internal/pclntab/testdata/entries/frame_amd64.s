// func frame() *[2]uintptr
TEXT ·frame(SB), 4, $0-8 // NOSPLIT
	MOVQ BP, ret+0(FP)
	RET
