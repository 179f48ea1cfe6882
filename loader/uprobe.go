package loader

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
)

// A Place is an instruction of a program: the path of its file, and the offset in the file.
type Place struct {
	Path   string
	Offset uint64
}

// PinProbe is the name of the probe on runtime.LockOSThread in hooks and statistics.
const PinProbe = "LockOSThread"

// ProbePins puts a breakpoint on a copy of runtime.LockOSThread in the target: plugins bring copies
// along. From then on each call of that copy sends a record. It takes Config.Pins or
// GroupConfig.Pins. In a Group the breakpoint is in every process that runs the file.
func (m *Member) ProbePins(at Place) error {
	var l io.Closer
	var err error
	if m.group != nil {
		l, err = m.group.pins.attach(at, m.shared.pin, m.Target.PID)
	} else {
		l, err = attachUprobe(at, m.shared.pin, m.Target.PID)
	}
	if err != nil {
		return explainAttach("probe runtime.LockOSThread", err)
	}
	m.shared.notePins()
	m.pins = append(m.pins, l)
	return nil
}

// notePins lists the probe among the hooks. The targets own its places.
func (s *Shared) notePins() {
	if _, listed := s.hooks[PinProbe]; !listed {
		s.attached = append(s.attached, attachment{hook{PinProbe, s.pin}, links(nil)})
		s.hooks[PinProbe] = "uprobe"
	}
}

// links are the places of one program.
type links []io.Closer

func (l links) Close() (err error) {
	for _, one := range l {
		err = errors.Join(err, one.Close())
	}
	return err
}

// filePins are the breakpoints of a Group's targets, one for all targets that run the same file. Each
// one that is set or removed has the kernel go through all processes of the file (kernel/events/uprobes.c,
// register_for_each_vma), and removing one took 0.1 s: 100 targets took 11 s longer with one for each.
type filePins struct {
	mu sync.Mutex
	of map[filePlace]*filePin
}

// filePlace is an instruction of a file. A breakpoint keeps its file from being another one's number.
type filePlace struct{ dev, ino, offset uint64 }

// filePin is a place with a breakpoint for one of its targets.
type filePin struct {
	pins  *filePins
	place filePlace
	link  link.Link
	users int
}

// attach puts a breakpoint on a place for one more target. On overlayfs one file of a layer has another
// number in each container, and two breakpoints on it would each send a record: there it is in this
// process alone.
func (p *filePins) attach(at Place, prog *ebpf.Program, pid int) (io.Closer, error) {
	file, err := os.OpenFile(at.Path, unix.O_PATH, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var stat unix.Stat_t
	var system unix.Statfs_t
	if err := errors.Join(unix.Fstat(int(file.Fd()), &stat), unix.Fstatfs(int(file.Fd()), &system)); err != nil {
		return nil, fmt.Errorf("%s: %w", at.Path, err)
	}
	if system.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return attachUprobe(at, prog, pid)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	place := filePlace{stat.Dev, stat.Ino, at.Offset}
	pin := p.of[place]
	if pin == nil {
		at.Path = fmt.Sprint("/proc/self/fd/", file.Fd()) // the path may lead to another file by now
		l, err := attachUprobe(at, prog, allProcesses)
		if err != nil {
			return nil, err
		}
		pin = &filePin{pins: p, place: place, link: l}
		if p.of == nil {
			p.of = map[filePlace]*filePin{}
		}
		p.of[place] = pin
	}
	pin.users++
	return pin, nil
}

// Close ends the use by one target.
func (p *filePin) Close() error {
	p.pins.mu.Lock()
	defer p.pins.mu.Unlock()
	if p.users--; p.users > 0 {
		return nil
	}
	delete(p.pins.of, p.place)
	return p.link.Close()
}

// allProcesses is the PID of a breakpoint in every process that runs the file.
const allProcesses = 0

func attachUprobe(at Place, prog *ebpf.Program, pid int) (link.Link, error) {
	exe, err := link.OpenExecutable(at.Path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", at.Path, err)
	}
	l, err := exe.Uprobe("", prog, &link.UprobeOptions{Address: at.Offset, PID: pid})
	if errors.Is(err, fs.ErrPermission) { // kernel/events/core.c, perf_uprobe_event_init
		return nil, &permissionError{op: "set a breakpoint (uprobe)", missing: []string{"CAP_SYS_ADMIN"}, err: err}
	}
	return l, err
}

// BreakpointCost measures the CPU time that a breakpoint with an empty program adds to a call on
// this machine. It is the least difference over several rounds of calls with and without the
// breakpoint: the least disturbed round. call must pass that place of this process once.
func BreakpointCost(at Place, pid int, call func()) (time.Duration, error) {
	spec, err := bpf.LoadPinwatch()
	if err != nil {
		return 0, fmt.Errorf("read embedded programs: %w", err)
	}
	var objs struct {
		Nothing *ebpf.Program `ebpf:"pw_nothing"`
	}
	if err := spec.LoadAndAssign(&objs, nil); err != nil {
		return 0, explainLoad("measure a breakpoint", err)
	}
	defer objs.Nothing.Close()
	runtime.LockOSThread() // the CPU time that cpuTime reads is this thread's
	defer runtime.UnlockOSThread()
	const rounds, calls = 5, 400
	least := time.Duration(math.MaxInt64)
	for range rounds {
		without := cpuTime(calls, call)
		l, err := attachUprobe(at, objs.Nothing, pid)
		if err != nil {
			return 0, explainAttach("measure a breakpoint", err)
		}
		with := cpuTime(calls, call)
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("measure a breakpoint: %w", err)
		}
		least = min(least, max(0, with-without)/calls)
	}
	return least, nil
}

// cpuTime is the CPU time of the calling thread for n calls.
func cpuTime(n int, call func()) time.Duration {
	begin := threadCPU()
	for range n {
		call()
	}
	return threadCPU() - begin
}

func threadCPU() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err) // cannot be: the clock exists and the pointer is valid
	}
	return time.Duration(ts.Nano())
}
