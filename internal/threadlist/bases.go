package threadlist

import (
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/loader"
)

// threadBase is the address from which a thread's g is found. Only the kernel has it.
type threadBase struct {
	nsTID int32 // in the target's PID namespace
	base  uint64
}

// readBases asks the kernel for the base of each thread of the process.
func readBases(pid int, info *goruntime.Info) (bases []threadBase, err error) {
	target, err := loader.OpenTarget(pid)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	infos, err := loader.Threads(target, info.GSlot != nil && info.GSlot.Register)
	if err != nil {
		return nil, err
	}
	for _, t := range infos {
		bases = append(bases, threadBase{nsTID: t.NSTID, base: t.GBase})
	}
	return bases, nil
}
