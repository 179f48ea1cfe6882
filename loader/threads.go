package loader

import (
	"cmp"
	"errors"
	"slices"
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

// threadInfos lists every thread that may have an M, once, by KernelTID.
func threadInfos(t *tasks) (infos []ThreadInfo, err error) {
	err = readSnapshot(t, func(record []byte) error {
		r := &(*bpf.PinwatchSnapshot)(unsafe.Pointer(unsafe.SliceData(record))).Thread
		if r.H.Flags&uint8(bpf.PinwatchThreadFlagTHREAD_IO_WORKER) != 0 {
			return nil
		}
		infos = append(infos, ThreadInfo{
			KernelTID: r.H.Tid, TID: int32(r.NsTid), NSTID: int32(r.InnermostTid),
			GBase: r.G_base, M: r.M, Time: r.H.Time,
		})
		return nil
	})
	slices.SortStableFunc(infos, func(a, b ThreadInfo) int { return cmp.Compare(a.KernelTID, b.KernelTID) })
	same := func(a, b ThreadInfo) bool { return a.KernelTID == b.KernelTID }
	return slices.CompactFunc(infos, same), err
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
		setting{k.TargetTgid, target.TGID}, setting{k.NsLevel, target.level},
		setting{k.GoRuntime, bpf.PinwatchGoRuntime{G_inRegister: number(inRegister)}},
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
	tasks, err := attachTasks(objs.Snapshot, target.threadsOnly())
	if err != nil {
		return nil, explainLoad("list threads", err)
	}
	infos, err := threadInfos(tasks)
	if err := errors.Join(err, tasks.Close()); err != nil {
		return nil, explainLoad("list threads", err)
	}
	return infos, nil
}
