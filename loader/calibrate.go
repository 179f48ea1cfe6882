package loader

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Calibration holds costs on this machine that no program can time itself. Times are in ns.
type Calibration struct {
	ClockRead float64 // one reading of the clock
	ClockStep float64 // the smallest step seen between two readings
	// Dispatch is the time that an empty program adds to its hook, by the way it is attached, as in
	// Session.Hooks. A way that the session does not use is not in it.
	Dispatch map[string]float64
}

// A measurement consists of two stretches without the program and two with it.
const (
	calibrateCalls   = 50  // in a batch
	calibrateBatches = 100 // in a stretch, if they fit in it
	calibrateLeast   = 15  // batches in any stretch, however slow the machine
	calibrateStretch = 15 * time.Millisecond
)

// A hookup is one way of attaching a program, and a harmless call that passes the hook.
type hookup struct {
	how  string // as in Session.Hooks
	prog ebpf.ProgramSpec
	on   func(*ebpf.Program) (io.Closer, error)
	call func()

	without, with float64 // ns
}

// calibrate takes some 15 ms, half of them before it needs the kernel's types. It must run before a session
// attaches: the first tracepoint on a system call costs more than a second one. A cost of 0 means that
// the machine was disturbed. It is measured again, for longer, and after three attempts accepted: an
// emulator may be disturbed all the time. Light attaches nothing to a system call here either: that
// would slow every system call of every process meanwhile. The caller closes what is attached, after
// it has attached its own: the kernel waits for grace periods to detach a tracepoint, some 50 ms, and
// attaches no other meanwhile (kernel/trace/trace_event_perf.c, event_mutex).
func calibrate(
	types func() (*btf.Cache, error), light bool,
) (c *Calibration, attached []attachment, err error) {
	for stretch := calibrateStretch; stretch <= 4*calibrateStretch; stretch *= 2 {
		if err := closeAll(attached); err != nil {
			return nil, nil, fmt.Errorf("measure empty programs: %w", err)
		}
		c, attached, err = calibrateOnce(types, stretch, light)
		if err != nil || !slices.Contains(slices.Collect(maps.Values(c.Dispatch)), 0) {
			break
		}
	}
	return c, attached, err
}

func calibrateOnce(
	types func() (*btf.Cache, error), stretch time.Duration, light bool,
) (c *Calibration, attached []attachment, err error) {
	c = &Calibration{Dispatch: map[string]float64{}}
	runtime.LockOSThread() // the calls read this thread's name and set it again
	defer runtime.UnlockOSThread()
	c.ClockRead, c.ClockStep = clockCosts()
	var name [16]byte
	unix.RawSyscallNoError(unix.SYS_PRCTL, unix.PR_GET_NAME, uintptr(unsafe.Pointer(&name)), 0)
	hookups := []*hookup{
		{ // a loop can't pass the tracepoints of the scheduler and of signals; this one is as cheap to pass
			how:  btfTracepoint,
			prog: ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "task_rename"},
			on:   onBTF,
			call: func() {
				unix.RawSyscallNoError(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name)), 0)
			},
		},
	}
	if !light {
		hookups = append(hookups, &hookup{
			how:  Tracepoint,
			prog: ebpf.ProgramSpec{Type: ebpf.TracePoint},
			on:   onSyscall("sys_enter_getppid"),
			call: func() { unix.RawSyscallNoError(unix.SYS_GETPPID, 0, 0, 0) },
		})
	}
	for _, h := range hookups {
		h.without = (batches(h.call, stretch) + batches(h.call, stretch)) / 2
	}
	cache, err := types()
	if err != nil {
		return nil, nil, err
	}
	for _, h := range hookups { // the one on a system call last: it slows the others' calls, too
		closer, err := h.attach(cache)
		if err != nil {
			err = explainAttach("measure an empty program ("+h.how+")", err)
			return nil, nil, errors.Join(err, closeAll(attached))
		}
		attached = append(attached, attachment{Closer: closer})
		h.with = (batches(h.call, stretch) + batches(h.call, stretch)) / 2
		c.Dispatch[h.how] = max(0, h.with-h.without) * c.ClockRead
	}
	return c, attached, nil
}

// batches is the duration of a call in readings of the clock: the median of many short batches of
// both in turn. A CPU that shares a core or changes its frequency slows both alike.
func batches(call func(), stretch time.Duration) float64 {
	ratios := make([]float64, 0, calibrateBatches)
	start := time.Now()
	for begin := start; len(ratios) < calibrateBatches; {
		if len(ratios) >= calibrateLeast && begin.Sub(start) >= stretch {
			break
		}
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

// clockCosts measures a reading of the clock, the same that the programs read, and its smallest
// step.
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

func (h *hookup) attach(types *btf.Cache) (io.Closer, error) {
	const name = "pw_nothing"
	h.prog.Name, h.prog.License = name, "GPL"
	h.prog.Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, 1), asm.Return()}
	loaded, err := ebpf.NewCollectionWithOptions(
		&ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{name: &h.prog}},
		ebpf.CollectionOptions{Cache: types})
	if err != nil {
		return nil, err
	}
	prog := loaded.DetachProgram(name)
	loaded.Close()
	attached, err := h.on(prog)
	return attached, errors.Join(err, prog.Close()) // the hook keeps the program
}

func onBTF(prog *ebpf.Program) (io.Closer, error) {
	return link.AttachTracing(link.TracingOptions{Program: prog})
}

func onSyscall(name string) func(*ebpf.Program) (io.Closer, error) {
	return func(prog *ebpf.Program) (io.Closer, error) {
		tracefs, err := openTracefs()
		if err != nil {
			return nil, err
		}
		defer tracefs.Close()
		id, err := tracepointID(tracefs, name)
		if err != nil {
			return nil, err
		}
		return attachTracepoint(id, prog.FD())
	}
}
