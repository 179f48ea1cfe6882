package loader

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Calibration is what this machine takes, now, for what no program can time itself. Times are in ns.
type Calibration struct {
	ClockRead float64 // one reading of the clock
	ClockStep float64 // the least step that the clock was seen to make
	// Dispatch is what an empty program adds to what it is attached to, by how it is attached: as in Session.Hooks.
	Dispatch map[string]float64
}

// Calls in a batch, and batches in a stretch of a measurement, of which there are two without the program and two with it; fewer on a machine
// that does not get through in time.
const (
	calibrateCalls   = 50
	calibrateBatches = 250
	calibrateLeast   = 15
	calibrateStretch = 15 * time.Millisecond
)

// A hookup is one way of attaching a program, and a call that nothing else hangs on and that comes by there.
type hookup struct {
	how  string
	prog ebpf.ProgramSpec
	on   func(*ebpf.Program) (detach func() error, err error)
	call func()

	without, with float64 // ns
}

// calibrate measures, in some 150 ms, most of which the kernel takes to attach and detach. It is to be called before a session attaches: the first
// tracepoint on a system call costs more than a second one. Where a program seems to cost nothing the machine was disturbed, and it is measured
// again, for longer; one that is disturbed all the time, as an emulator may be, is taken at its word.
func calibrate(types *btf.Cache) (c *Calibration, err error) {
	for stretch := calibrateStretch; stretch <= 4*calibrateStretch; stretch *= 2 {
		if c, err = calibrateOnce(types, stretch); err != nil || !slices.Contains(slices.Collect(maps.Values(c.Dispatch)), 0) {
			break
		}
	}
	return c, err
}

func calibrateOnce(types *btf.Cache, stretch time.Duration) (c *Calibration, err error) {
	c = &Calibration{Dispatch: map[string]float64{}}
	runtime.LockOSThread() // whose name is read and set again
	defer runtime.UnlockOSThread()
	c.ClockRead, c.ClockStep = clockCosts()
	var name [16]byte
	unix.RawSyscallNoError(unix.SYS_PRCTL, unix.PR_GET_NAME, uintptr(unsafe.Pointer(&name)), 0)
	hookups := []*hookup{
		// The scheduler's and signals' tracepoints can't be had in a loop; this one is as cheap to come by as any.
		{how: "tp_btf", prog: ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "task_rename"},
			on: onBTF, call: func() { unix.RawSyscallNoError(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name)), 0) }},
		{how: "tracepoint", prog: ebpf.ProgramSpec{Type: ebpf.TracePoint},
			on: onSyscall("sys_enter_getppid"), call: func() { unix.RawSyscallNoError(unix.SYS_GETPPID, 0, 0, 0) }},
	}
	var detach []func() error
	defer func() { err = errors.Join(err, together(detach)) }()
	for _, h := range hookups {
		h.without = batches(h.call, stretch)
	}
	for _, h := range hookups { // the one on a system call last: the others would pay for it, too
		d, err := h.attach(types)
		if err != nil {
			return nil, explainAttach("measure an empty program ("+h.how+")", err)
		}
		detach = append(detach, d)
		h.with = (batches(h.call, stretch) + batches(h.call, stretch)) / 2
	}
	attached := detach
	detach = nil
	if err = together(attached); err != nil {
		return nil, fmt.Errorf("measure empty programs: %w", err)
	}
	for _, h := range hookups {
		h.without = (h.without + batches(h.call, stretch)) / 2
		c.Dispatch[h.how] = max(0, h.with-h.without) * c.ClockRead
	}
	return c, nil
}

// together calls all at once: to detach takes a grace period of the kernel each.
func together(calls []func() error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(calls))
	for i, call := range calls {
		wg.Go(func() { errs[i] = call() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// batches is how long a call takes beside reading the clock: the median of many short batches of each in turn. A CPU that is slower for
// a while, as it shares a core or changes its frequency, is so for both.
func batches(call func(), stretch time.Duration) float64 {
	ratios := make([]float64, 0, calibrateBatches)
	start := time.Now()
	for begin := start; len(ratios) < calibrateBatches && (len(ratios) < calibrateLeast || begin.Sub(start) < stretch); {
		for range calibrateCalls {
			call()
		}
		between := time.Now()
		for range calibrateCalls {
			_ = time.Since(begin)
		}
		end := time.Now()
		ratios = append(ratios, float64(between.Sub(begin))/float64(end.Sub(between)))
		begin = end
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// clockCosts reads the clock, which is the one that the programs read, again and again.
func clockCosts() (read, step float64) {
	start, least := time.Now(), time.Second
	var ns [calibrateBatches]float64
	for i := range ns {
		begin, last := time.Since(start), time.Duration(0)
		for range calibrateCalls {
			now := time.Since(start)
			if now > last && last > 0 {
				least = min(least, now-last)
			}
			last = now
		}
		ns[i] = float64(time.Since(start)-begin) / calibrateCalls
	}
	slices.Sort(ns[:])
	return ns[len(ns)/2], float64(least)
}

func (h *hookup) attach(types *btf.Cache) (detach func() error, err error) {
	const name = "pw_nothing"
	h.prog.Name, h.prog.License = name, "GPL"
	h.prog.Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, 1), asm.Return()}
	loaded, err := ebpf.NewCollectionWithOptions(&ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{name: &h.prog}},
		ebpf.CollectionOptions{Cache: types})
	if err != nil {
		return nil, err
	}
	prog := loaded.DetachProgram(name)
	loaded.Close()
	detach, err = h.on(prog)
	return detach, errors.Join(err, prog.Close()) // what it is attached to keeps it
}

func onBTF(prog *ebpf.Program) (detach func() error, err error) {
	l, err := link.AttachTracing(link.TracingOptions{Program: prog})
	if err != nil {
		return nil, err
	}
	return l.Close, nil
}

func onSyscall(name string) func(*ebpf.Program) (detach func() error, err error) {
	return func(prog *ebpf.Program) (detach func() error, err error) {
		tracefs, err := openTracefs()
		if err != nil {
			return nil, err
		}
		defer tracefs.Close()
		id, err := tracepointID(tracefs, name)
		if err != nil {
			return nil, err
		}
		fd, err := attachTracepoint(id, prog.FD())
		if err != nil {
			return nil, err
		}
		return fd.Close, nil
	}
}
