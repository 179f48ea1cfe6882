package loader

import (
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/pinwatch/pinwatch/bpf"
)

// A Place is an instruction of a program: a path that opens its file, and where in the file it is.
type Place struct {
	Path   string
	Offset uint64
}

// PinProbe is the name of the probe on runtime.LockOSThread in hooks and statistics.
const PinProbe = "LockOSThread"

// ProbePins puts a breakpoint on the target's runtime.LockOSThread. From now on its calls are told of.
func (s *Session) ProbePins(at Place) error {
	l, err := attachUprobe(at, s.objs.PwPin, s.Target.PID)
	if err != nil {
		return explainAttach("probe runtime.LockOSThread", err)
	}
	s.links = append(s.links, l)
	s.hooks[PinProbe] = "uprobe"
	return nil
}

func attachUprobe(at Place, prog *ebpf.Program, pid int) (link.Link, error) {
	exe, err := link.OpenExecutable(at.Path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", at.Path, err)
	}
	return exe.Uprobe("", prog, &link.UprobeOptions{Address: at.Offset, PID: pid})
}

// BreakpointCost measures on this machine, now, what a breakpoint with an empty program adds to a call: the median over rounds
// of calls with and without, interleaved. call must be this process's function at that place.
func BreakpointCost(at Place, pid int, call func()) (time.Duration, error) {
	spec, err := bpf.LoadPinwatch()
	if err != nil {
		return 0, fmt.Errorf("read embedded programs: %w", err)
	}
	pruneMaps(spec, false)
	var objs struct {
		Nothing *ebpf.Program `ebpf:"pw_nothing"`
	}
	if err := spec.LoadAndAssign(&objs, nil); err != nil {
		return 0, explainLoad("measure a breakpoint", err)
	}
	defer objs.Nothing.Close()
	const rounds, calls = 5, 400
	var costs []time.Duration
	for range rounds {
		without := timeCalls(calls, call)
		l, err := attachUprobe(at, objs.Nothing, pid)
		if err != nil {
			return 0, explainAttach("measure a breakpoint", err)
		}
		with := timeCalls(calls, call)
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("measure a breakpoint: %w", err)
		}
		costs = append(costs, max(0, with-without)/calls)
	}
	slices.Sort(costs)
	return costs[rounds/2], nil
}

func timeCalls(n int, call func()) time.Duration {
	begin := time.Now()
	for range n {
		call()
	}
	return time.Since(begin)
}
