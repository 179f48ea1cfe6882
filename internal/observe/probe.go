package observe

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/loader"
)

// pinProbe has the places of the breakpoints on runtime.LockOSThread: that of the program, and the
// copies in plugins. They cost the same on this machine.
type pinProbe struct {
	places []loader.Place
	cost   time.Duration
}

// pinProbe finds the program's LockOSThread. breakpoint measures what a breakpoint costs.
func (p *Program) pinProbe(breakpoint func() (time.Duration, error)) (*pinProbe, error) {
	probe, err := p.findPins()
	if err == nil {
		probe.cost, err = breakpoint()
	}
	if err != nil {
		return nil, &OptionError{"sites", err}
	}
	return probe, nil
}

// breakpointCost measures, before anything is attached, what a breakpoint on LockOSThread costs here.
func breakpointCost() (cost time.Duration, err error) {
	self, err := goruntime.Open(os.Getpid(), goruntime.Options{})
	if err != nil {
		return 0, fmt.Errorf("measure a breakpoint: %w", err)
	}
	defer self.Close()
	// The cost of a breakpoint depends on the instruction it replaces, so it is measured on the
	// same function here.
	place, err := placeOf(self, self.LockOSThread)
	if err == nil {
		cost, err = loader.BreakpointCost(place, os.Getpid(), func() {
			runtime.LockOSThread()
			runtime.UnlockOSThread()
		})
	}
	return cost, err
}

// findPins finds the program's LockOSThread, and the copies of its plugins. A program that can load
// plugins may have none yet.
func (p *Program) findPins() (*pinProbe, error) {
	if why := p.Info.Unknown["LockOSThread"]; why != nil {
		return nil, why
	}
	probe := &pinProbe{}
	addrs := []uint64{p.Info.LockOSThread}
	plugins, _ := p.Runtime.Plugins() // the error is among the program's notes
	for _, pl := range plugins {
		addrs = append(addrs, pl.LockOSThread)
	}
	for _, addr := range addrs {
		if addr == 0 {
			continue
		}
		place, err := placeOf(p.Runtime, addr)
		if err != nil {
			return nil, err
		}
		probe.places = append(probe.places, place)
	}
	if len(probe.places) == 0 && !p.Info.Plugins {
		return nil, errors.New("the program never calls runtime.LockOSThread: it is not linked in")
	}
	return probe, nil
}

// pinPlaces are the places of the breakpoints on runtime.LockOSThread.
func (o *observation) pinPlaces() []loader.Place {
	if o.probe == nil {
		return nil
	}
	return o.probe.places
}

func placeOf(rt *goruntime.Runtime, addr uint64) (place loader.Place, err error) {
	place.Path, place.Offset, err = rt.CodePlace(addr)
	return place, err
}
