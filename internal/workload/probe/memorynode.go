package probe

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// Flags of get_mempolicy, include/uapi/linux/mempolicy.h: the node of the page at an address.
const mpolNodeOfAddress = 1 | 2 // MPOL_F_NODE | MPOL_F_ADDR

// CurrentNode is the memory node of the CPU that the calling thread is on, -1 = unknown.
func CurrentNode() int {
	var node uint32
	if _, _, errno := syscall.RawSyscall(getcpu(), 0, uintptr(unsafe.Pointer(&node)), 0); errno != 0 {
		return -1
	}
	return int(node)
}

// FreshPageNode is the memory node of a page that the calling thread uses first, -1 = unknown.
func FreshPageNode() int {
	page, err := syscall.Mmap(-1, 0, os.Getpagesize(), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return -1
	}
	page[0] = 1 // the kernel chooses the node now
	var node int32
	_, _, errno := syscall.RawSyscall6(syscall.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&node)), 0, 0,
		uintptr(unsafe.Pointer(&page[0])), mpolNodeOfAddress, 0)
	runtime.KeepAlive(page)
	if syscall.Munmap(page) != nil || errno != 0 {
		return -1
	}
	return int(node)
}
