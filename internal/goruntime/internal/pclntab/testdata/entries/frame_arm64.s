// func frame() *[2]uintptr
TEXT ·frame(SB), 4, $0-8 // NOSPLIT
	MOVD R29, ret+0(FP)
	RET
