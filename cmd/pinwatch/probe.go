package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/loader"
)

// probePins puts the breakpoint on the program's LockOSThread and measures what one costs here.
func (p *program) probePins(s *loader.Session) (cost time.Duration, err error) {
	switch {
	case p.info == nil:
		return 0, errors.New("--sites: not a Go program that can be read")
	case p.info.LockOSThread == 0 && p.info.Unknown["LockOSThread"] != nil:
		return 0, fmt.Errorf("--sites: %w", p.info.Unknown["LockOSThread"])
	case p.info.LockOSThread == 0:
		return 0, errors.New("--sites: the program never calls runtime.LockOSThread: it is not linked in")
	}
	at, err := placeOf(p.runtime, p.info.LockOSThread)
	if err == nil {
		err = s.ProbePins(at)
	}
	if err != nil {
		return 0, fmt.Errorf("--sites: %w", err)
	}
	self, err := goruntime.Open(os.Getpid(), goruntime.Options{})
	if err != nil {
		return 0, fmt.Errorf("measure a breakpoint: %w", err)
	}
	defer self.Close()
	if at, err = placeOf(self, uint64(reflect.ValueOf(probed).Pointer())); err != nil {
		return 0, fmt.Errorf("measure a breakpoint: %w", err)
	}
	return loader.BreakpointCost(at, os.Getpid(), probed)
}

func placeOf(rt *goruntime.Runtime, addr uint64) (at loader.Place, err error) {
	at.Path, at.Offset, err = rt.CodePlace(addr)
	return at, err
}

// probed is what the breakpoint is measured on: a function that does nothing and is not inlined.
//
//go:noinline
func probed() {}
