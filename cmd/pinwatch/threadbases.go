package main

import (
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/loader"
)

// threadBases asks the kernel where each thread of the process keeps its g.
func threadBases(pid int, info *goruntime.Info) (bases []threadBase, err error) {
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
		bases = append(bases, threadBase{own: t.NSTID, base: t.GBase})
	}
	return bases, nil
}
