package loader

import (
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/pinwatch/pinwatch/bpf"
)

// ThreadInfo is what only the kernel knows of a living thread and its runtime needs to be found by.
type ThreadInfo struct {
	KernelTID uint32 // in the initial PID namespace
	TID       int32  // in pinwatch's
	OwnTID    int32  // in the target's own: what gettid returns to it
	GBase     uint64 // its thread pointer; where the runtime keeps g in a register, that register
	M         uint64 // address of its runtime.m, when the programs have found it for good; 0 = not known
	Time      uint64 // when it was looked at, CLOCK_MONOTONIC ns
}

// ThreadInfos takes from the records of a Snapshot what is no event.
func ThreadInfos(records []byte) []ThreadInfo {
	infos := make([]ThreadInfo, 0, len(records)/SnapshotRecord)
	for ; len(records) >= SnapshotRecord; records = records[SnapshotRecord:] {
		r := &(*bpf.PinwatchSnapshot)(unsafe.Pointer(unsafe.SliceData(records))).Thread
		infos = append(infos, ThreadInfo{
			KernelTID: r.H.Tid, TID: int32(r.NsTid), OwnTID: int32(r.OwnTid), GBase: r.G_base, M: r.M, Time: r.H.Time,
		})
	}
	return infos
}

// Threads asks the kernel once for the threads of a process, without observing it.
func Threads(target *Target, inRegister bool) ([]ThreadInfo, error) {
	if _, err := probeKernel(target.types); err != nil {
		return nil, err
	}
	spec := target.spec.Copy()
	for name, value := range map[string]any{
		"target_tgid": target.TGID, "ns_level": target.level, "g_in_register": inRegister,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("set %s: %w", name, err)
		}
	}
	var objs struct {
		Snapshot *ebpf.Program `ebpf:"pw_snapshot"`
	}
	if err := spec.LoadAndAssign(&objs, &ebpf.CollectionOptions{Cache: target.types}); err != nil {
		return nil, explainLoad("list threads", err)
	}
	defer objs.Snapshot.Close()
	records, err := readIterator(objs.Snapshot)
	if err != nil {
		return nil, explainLoad("list threads", err)
	}
	return ThreadInfos(records), nil
}
