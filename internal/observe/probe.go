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

// pinProbe is the place of the breakpoint on runtime.LockOSThread, and its cost on this machine.
type pinProbe struct {
	place loader.Place
	cost  time.Duration
}

// pinProbe finds the program's LockOSThread and measures, before anything is attached, what a
// breakpoint costs here.
func (p *Program) pinProbe() (*pinProbe, error) {
	probe, err := p.findPins()
	if err != nil {
		return nil, &OptionError{"sites", err}
	}
	self, err := goruntime.Open(os.Getpid(), goruntime.Options{})
	if err != nil {
		return nil, &OptionError{"sites", fmt.Errorf("measure a breakpoint: %w", err)}
	}
	defer self.Close()
	// The cost of a breakpoint depends on the instruction it replaces, so it is measured on the
	// same function here.
	place, err := placeOf(self, self.LockOSThread)
	if err == nil {
		probe.cost, err = loader.BreakpointCost(place, os.Getpid(), func() {
			runtime.LockOSThread()
			runtime.UnlockOSThread()
		})
	}
	if err != nil {
		return nil, &OptionError{"sites", err}
	}
	return probe, nil
}

// findPins finds the program's LockOSThread.
func (p *Program) findPins() (*pinProbe, error) {
	switch {
	case p.Info.LockOSThread != 0:
		place, err := placeOf(p.Runtime, p.Info.LockOSThread)
		return &pinProbe{place: place}, err
	case p.Info.Unknown["LockOSThread"] != nil:
		return nil, p.Info.Unknown["LockOSThread"]
	}
	return nil, errors.New("the program never calls runtime.LockOSThread: it is not linked in")
}

func placeOf(rt *goruntime.Runtime, addr uint64) (place loader.Place, err error) {
	place.Path, place.Offset, err = rt.CodePlace(addr)
	return place, err
}
