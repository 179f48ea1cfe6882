package testenv

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RefuseCall has the kernel refuse a system call to all threads of this process and to what it starts, for
// good: EPERM. With first, only where that is the call's first argument.
func RefuseCall(call uint32, first ...uint32) error {
	const nr, arg = 0, 16 // in struct seccomp_data; arg: the low half, on a little-endian machine
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	end := func(what uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what} }
	filter := []unix.SockFilter{load(nr)}
	allow := func(k uint32) { // all but k
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: 1},
			end(unix.SECCOMP_RET_ALLOW))
	}
	allow(call)
	for _, k := range first {
		filter = append(filter, load(arg))
		allow(k)
	}
	filter = append(filter, end(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)))
	runtime.LockOSThread() // the filter is for all threads, the permission to set it for this one
	defer runtime.UnlockOSThread()
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}
