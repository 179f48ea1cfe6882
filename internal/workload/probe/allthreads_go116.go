//go:build go1.16
// +build go1.16

package probe

import (
	"syscall"
	"unsafe"
)

// NameAllThreads names every thread of the process, from the calling goroutine; false = this release
// has no AllThreadsSyscall.
func NameAllThreads(name string) (ok bool, err error) {
	var n taskName
	copy(n[:len(n)-1], name)
	_, _, errno := syscall.AllThreadsSyscall(syscall.SYS_PRCTL, syscall.PR_SET_NAME, uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return true, errno
	}
	return true, nil
}
