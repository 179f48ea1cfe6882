package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/loader"
)

// pinProbe is where the breakpoint on runtime.LockOSThread goes, and what one costs on this machine.
type pinProbe struct {
	at   loader.Place
	cost time.Duration
}

// pinProbe finds the program's LockOSThread and measures, before anything is attached, what a breakpoint costs here.
func (p *program) pinProbe() (*pinProbe, error) {
	probe := &pinProbe{}
	err := errors.New("the program never calls runtime.LockOSThread: it is not linked in")
	switch {
	case p.info.LockOSThread != 0:
		probe.at, err = placeOf(p.runtime, p.info.LockOSThread)
	case p.info.Unknown["LockOSThread"] != nil:
		err = p.info.Unknown["LockOSThread"]
	}
	if err != nil {
		return nil, fmt.Errorf("--sites: %w", err)
	}
	self, err := goruntime.Open(os.Getpid(), goruntime.Options{})
	if err != nil {
		return nil, fmt.Errorf("--sites: measure a breakpoint: %w", err)
	}
	defer self.Close()
	// What a breakpoint costs depends on the instruction that it stands on, so it is measured on the same function here.
	at, err := placeOf(self, self.LockOSThread)
	if err == nil {
		probe.cost, err = loader.BreakpointCost(at, os.Getpid(), func() {
			runtime.LockOSThread()
			runtime.UnlockOSThread()
		})
	}
	if err != nil {
		return nil, fmt.Errorf("--sites: %w", err)
	}
	return probe, nil
}

func placeOf(rt *goruntime.Runtime, addr uint64) (at loader.Place, err error) {
	at.Path, at.Offset, err = rt.CodePlace(addr)
	return at, err
}
