package loader

import (
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/pinwatch/pinwatch/bpf"
)

// ThreadInfo holds the values of a living thread that only the kernel has, and by which its place
// in the Go runtime is found.
type ThreadInfo struct {
	KernelTID uint32 // in the initial PID namespace
	TID       int32  // in pinwatch's PID namespace
	NSTID     int32  // in the thread's innermost PID namespace: what gettid returns to it
	GBase     uint64 // the thread pointer; where the runtime keeps g in a register, that register
	M         uint64 // address of its runtime.m, if the thread has it for life; 0 = unknown
	Time      uint64 // of the reading, CLOCK_MONOTONIC ns
}

// ThreadInfos returns the values in the records of a Snapshot that are no events, of the threads that
// may have an M.
func ThreadInfos(records []byte) []ThreadInfo {
	infos := make([]ThreadInfo, 0, len(records)/SnapshotRecord)
	for ; len(records) >= SnapshotRecord; records = records[SnapshotRecord:] {
		r := &(*bpf.PinwatchSnapshot)(unsafe.Pointer(unsafe.SliceData(records))).Thread
		if r.H.Flags&uint8(bpf.PinwatchThreadFlagTHREAD_IO_WORKER) != 0 {
			continue
		}
		infos = append(infos, ThreadInfo{
			KernelTID: r.H.Tid, TID: int32(r.NsTid), NSTID: int32(r.InnermostTid),
			GBase: r.G_base, M: r.M, Time: r.H.Time,
		})
	}
	return infos
}

// Threads lists the threads of a process once, without observing it. inRegister: the runtime keeps
// g in a register.
func Threads(target *Target, inRegister bool) ([]ThreadInfo, error) {
	if _, err := probeKernel(target.types); err != nil {
		return nil, err
	}
	k, err := newKernelSide(target.spec)
	if err != nil {
		return nil, err
	}
	if err := set(
		setting{k.TargetTgid, target.TGID}, setting{k.NsLevel, target.level}, setting{k.G_inRegister, inRegister},
	); err != nil {
		return nil, err
	}
	var objs struct {
		Snapshot *ebpf.Program `ebpf:"pw_snapshot"`
	}
	if err := k.LoadAndAssign(&objs, &ebpf.CollectionOptions{Cache: target.types}); err != nil {
		return nil, explainLoad("list threads", err)
	}
	defer objs.Snapshot.Close()
	records, err := readIterator(objs.Snapshot)
	if err != nil {
		return nil, explainLoad("list threads", err)
	}
	return ThreadInfos(records), nil
}
