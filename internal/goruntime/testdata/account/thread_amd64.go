package main

import (
	"syscall"
	"unsafe"
)

// threadPointer returns the thread's FS base.
func threadPointer() uintptr {
	const archGetFS = 0x1003 // arch_prctl(2)
	var base uintptr
	if _, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, archGetFS, uintptr(unsafe.Pointer(&base)), 0); errno != 0 {
		panic(errno)
	}
	return base
}
