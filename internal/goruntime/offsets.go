package goruntime

// Offsets are the places, in bytes, of the fields of the runtime's structs that pinwatch reads (runtime/runtime2.go). Absent
// marks a field that the release does not have.
type Offsets struct {
	// runtime.g
	GM          uint32 // m
	GStatus     uint32 // atomicstatus, 4 bytes
	GGoid       uint32 // goid
	GLockedM    uint32 // lockedm
	GStartPC    uint32 // startpc
	GWaitReason uint32 // waitreason, 1 byte

	// runtime.m
	MG0        uint32 // g0
	MProcID    uint32 // procid: the thread's tid in the target's own PID namespace
	MStartFn   uint32 // mstartfn: a pointer to a func value, whose first word is the function's address
	MCurG      uint32 // curg
	MP         uint32 // p
	MID        uint32 // id
	MLockedG   uint32 // lockedg
	MLockedExt uint32 // lockedExt, 4 bytes
	MLockedInt uint32 // lockedInt, 4 bytes
	MAllLink   uint32 // alllink
	MIsExtra   uint32 // isextra, 1 byte; Absent before it existed

	// runtime.p
	PID uint32 // id, 4 bytes
}

// Absent is the offset of a field that does not exist.
const Absent = ^uint32(0)

// GSlot says where a thread keeps the pointer to the g that runs on it.
type GSlot struct {
	Register bool  // arm64 without cgo: in x28, and nowhere in memory
	TLS      int64 // otherwise at the thread pointer (amd64: FS base, arm64: TPIDR_EL0) plus this
}
