package loader

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf/btf"

	"github.com/pinwatch/pinwatch/bpf"
)

// GroupConfig of an observation with any number of targets. The zero value is useful.
type GroupConfig struct {
	RingBytes      int   // as Config's
	MaxRate        int   // as Config's, for each target
	ThreadEntries  int   // as Config's, for all targets together; 0 = for 100,000 threads
	ThreadOverflow int   // as Config's
	Light          bool  // as Config's
	Slow           Slow  // as Config's
	Isolated       []int // as Config's
	Pins           bool  // as Config's

	// Calibrate measures the machine while the programs are loaded: Group.Calibration.
	Calibrate bool
	// Targets is the number of processes that can be targets at one time; 0 = 1024.
	Targets int
	// Follow makes targets of what targets and followed processes start, once it executes a program.
	Follow bool
	// Watch makes a target of every process of the machine once it executes a program.
	Watch bool

	// BeforeLoad is called once, some 20 ms after the beginning. Its error is OpenGroup's. nil means none.
	BeforeLoad func() error
}

// Group is an observation with any number of targets, which come and go while its programs stay
// attached. The records of all targets come through the same buffers.
//
// A record's target shows by its tid. A thread begins as a target's by a NewTask record (its
// parent's target), by an Exec record (its To slot), by a Thread record that follows an Exec record,
// or by Snapshot. SlotOf asks the kernel side where such a record was lost.
//
// A process that executes a program is another target from then on if the Group has Follow or Watch.
// Its Exec record has the slots of both; NO_SLOT = none. The record before that, of the same tid, is
// a Thread record: the state in which the old target's last thread leaves it. The record after that
// is a Thread record as well: the state in which the new target's only thread begins. Its run begins
// at the Exec record's time. Records of the old target's other threads may come after the Exec record:
// the last one is the ProcessFree of the old leader, which by then may have the old tid of the thread
// that executed the program.
// Threads of a process that became a target by an Exec record may end after it though they are the
// program's before, which nobody observed: ProcessFree records of tids that no target has mean
// nothing.
//
// Its methods may be called at the same time.
type Group struct {
	*Shared
	Calibration    *Calibration // nil if not requested, or for this reason:
	CalibrationErr error

	level, ahead uint64 // of pinwatch's PID and time namespaces, see Target

	targets []bpf.PinwatchTarget // by slot
	hints   *bpf.PinwatchTargetHints
	shares  []bpf.PinwatchShare // by slot and column
	columns int                 // of shares
	threads []bpf.PinwatchThreadState
	known   []bpf.PinwatchKnownProgram
	pins    filePins

	mu      sync.Mutex
	members map[uint32]*Member // by slot
	resting [2][]uint32        // slots that were closed: since rested, before that
	rested  time.Time
	writes  uint64 // to known
}

// defaultTargets is the default of GroupConfig.Targets.
const defaultTargets = 1024

// groupThreads is the number of threads that a Group has room for by default.
const groupThreads = 100_000

// OpenGroup loads the programs and attaches them, without any target yet.
func OpenGroup(cfg GroupConfig) (_ *Group, err error) {
	if err := checkPrivileges(); err != nil {
		return nil, err
	}
	g := &Group{members: map[uint32]*Member{}}
	types := sync.OnceValues(readTypes)
	var calibrating []attachment
	calibrated := make(chan struct{})
	go func() {
		defer close(calibrated)
		if cfg.Calibrate {
			g.Calibration, calibrating, g.CalibrationErr = calibrate(types, cfg.Light)
		}
	}()
	err = g.load(types, cfg)
	<-calibrated
	if err != nil {
		return nil, errors.Join(err, closeAll(calibrating))
	}
	err = g.mapArrays()
	if err == nil {
		err = g.attachAll(func() error { return nil })
	}
	g.closing = append(g.closing, closeLater(calibrating))
	if err != nil {
		return nil, errors.Join(err, g.detach())
	}
	g.forgetSources()
	g.setShares(1)
	return g, nil
}

func (g *Group) load(read func() (*btf.Cache, error), cfg GroupConfig) error {
	types, spec, err := readSources(read)
	if err != nil {
		return err
	}
	self, err := openSelf(types, spec)
	if err != nil {
		return err
	}
	defer self.Close()
	switchHasState, err := probeKernel(types)
	if err != nil {
		return err
	}
	g.Shared, g.level, g.ahead = newShared(switchHasState), uint64(self.level), self.ahead
	g.many = true
	k, err := newKernelSide(spec)
	if err != nil {
		return err
	}
	slots := cmp.Or(cfg.Targets, defaultTargets)
	g.Room = sizeRoom(cmp.Or(cfg.ThreadEntries, groupThreads))
	g.Room.Table = cmp.Or(cfg.ThreadEntries, g.Room.Table)
	g.Room.Overflow = cmp.Or(cfg.ThreadOverflow, g.Room.Overflow)
	if g.Buffers, err = sizeBuffers(cfg.RingBytes, 0, 0, false, g.Room); err != nil {
		return err
	}
	g.columns = max(g.Buffers.cpus, g.Buffers.rings)
	if err := errors.Join(
		set(
			setting{k.Many, true}, setting{k.Follow, cfg.Follow}, setting{k.Watch, cfg.Watch},
			setting{k.OwnTgid, self.TGID}, setting{k.NsLevel, self.level},
			setting{k.ShareColumns, uint32(g.columns)},
		),
		g.setCommon(k, Config{MaxRate: cfg.MaxRate, Light: cfg.Light, Slow: cfg.Slow, Isolated: cfg.Isolated}),
	); err != nil {
		return err
	}
	k.Targets.MaxEntries, k.FreeSlots.MaxEntries = uint32(slots), uint32(slots)
	k.Processes.MaxEntries = uint32(max(16*slots, leastThreads))
	k.Shares.MaxEntries = uint32(slots * g.columns)
	k.KnownPrograms.MaxEntries = uint32(bpf.PinwatchKnownLayoutKNOWN_PROGRAMS)
	k.Crowds.MaxEntries = uint32(g.Buffers.rings)
	if cfg.BeforeLoad != nil {
		if err := cfg.BeforeLoad(); err != nil {
			return err
		}
	}
	if err := g.loadAll(k, types, cfg.Light, cfg.Pins, orderProgram, resolveProgram); err != nil {
		return err
	}
	g.throttled = g.loaded.later(throttledProgram)
	return nil
}

func (g *Group) mapArrays() (err error) {
	if g.targets, err = mapped[bpf.PinwatchTarget](&g.mapped, g.objs.Targets); err != nil {
		return err
	}
	hints, err := mapped[bpf.PinwatchTargetHints](&g.mapped, g.objs.TargetHints)
	if err != nil {
		return err
	}
	g.hints = &hints[0]
	if g.shares, err = mapped[bpf.PinwatchShare](&g.mapped, g.objs.Shares); err != nil {
		return err
	}
	if g.threads, err = mapped[bpf.PinwatchThreadState](&g.mapped, g.objs.ThreadTable); err != nil {
		return err
	}
	if g.known, err = mapped[bpf.PinwatchKnownProgram](&g.mapped, g.objs.KnownPrograms); err != nil {
		return err
	}
	for slot := range g.targets {
		if err := g.releaseSlot(uint32(slot)); err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) at(slot uint32) *bpf.PinwatchTarget { return &g.targets[slot] }

// order has the kernel side carry out an order, and returns the slot that it answers with.
func (g *Group) order(kind bpf.PinwatchOrder, tgid, slot uint32) (uint32, error) {
	g.ordering.Lock()
	defer g.ordering.Unlock()
	err := errors.Join(g.objs.OrderKind.Set(uint32(kind)), g.objs.OrderTgid.Set(tgid), g.objs.OrderSlot.Set(slot))
	if err == nil {
		_, err = g.loaded.Programs[orderProgram].Run(nil)
	}
	if err == nil {
		err = g.objs.OrderSlot.Get(&slot)
	}
	return slot, err
}

// Now returns the time with which programs stamp now, see Target.Now.
func (g *Group) Now() uint64 { return (&Target{ahead: g.ahead}).Now() }

// Add makes a process that runs a target: its records begin, and each of its threads has its state.
// The Group owns the result until its Close. If the process is a target already, that one is
// returned.
func (g *Group) Add(pid int) (*Member, error) {
	t, err := g.open(pid)
	if err != nil {
		return nil, err
	}
	slot, err := g.order(bpf.PinwatchOrderORDER_ADD, t.TGID, 0)
	if err == nil && slot == uint32(bpf.PinwatchTargetHintNO_SLOT) {
		err = fmt.Errorf("%w: %d processes are observed", ErrNoSlot, len(g.targets))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("observe process %d: %w", pid, err), t.Close())
	}
	m, old := g.member(slot, t)
	if old {
		return m, t.Close()
	}
	err = m.ask(func() error { return m.prepare(t.threadsOnly()) })
	atomic.StoreUint32(&m.kernel.Preparing, 0)
	if err == nil && !t.Alive() {
		err = fmt.Errorf("process %d %w: nothing of it was observed", pid, ErrEnded)
	}
	if err != nil {
		return nil, errors.Join(explainAttach("prepare the threads' state", err), m.Close())
	}
	return m, nil
}

// ErrNoSlot means that as many processes are observed as the Group has room for.
var ErrNoSlot = errors.New("there is no room for one more process")

// member returns the member with a slot, and whether there was one; else a new one.
func (g *Group) member(slot uint32, t *Target) (m *Member, old bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m := g.members[slot]; m != nil {
		return m, true
	}
	m = &Member{Target: t, shared: g.Shared, group: g, kernel: g.at(slot)}
	g.members[slot] = m
	return m, false
}

// open finds the process that has pid in pinwatch's PID namespace.
func (g *Group) open(pid int) (*Target, error) {
	t, err := openPID(pid)
	if err != nil {
		return nil, err
	}
	g.asking.Lock()
	defer g.asking.Unlock()
	if err = g.objs.Wanted.Set(uint32(pid)); err == nil {
		err = t.resolveBy(g.loaded.Programs[resolveProgram])
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// AddExecuted returns the target with the To slot of an Exec record: a process that became a target by
// itself. It works as far as possible if the process has ended already.
func (g *Group) AddExecuted(slot uint32) (*Member, error) {
	if int(slot) >= len(g.targets) || g.at(slot).Tgid == 0 {
		return nil, fmt.Errorf("slot %d is of no target", slot)
	}
	k := g.at(slot)
	t := &Target{PID: int(k.NsTgid), TGID: k.Tgid, level: uint32(g.level), ahead: g.ahead}
	m, old := g.member(slot, t)
	if old || t.PID == 0 { // it is in a PID namespace that pinwatch does not see
		return m, nil
	}
	open, err := openPID(t.PID)
	switch {
	case errors.Is(err, ErrNoProcess):
		return m, nil
	case err != nil:
		return nil, errors.Join(err, m.Close())
	case atomic.LoadUint32(&k.Gone) != 0: // the PID may be another process's
		return m, open.Close()
	}
	t.pidfd, t.file = open.pidfd, open.file
	return m, nil
}

// Executed lists the slots of targets that became such by themselves and have no Member yet, in case
// their Exec records were lost.
func (g *Group) Executed() (slots []uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for slot := range g.targets {
		if atomic.LoadUint32(&g.targets[slot].Tgid) != 0 && g.members[uint32(slot)] == nil {
			slots = append(slots, uint32(slot))
		}
	}
	return slots
}

// Follow makes targets of the processes that a process starts from now on, and of itself, when they
// execute a program. It takes a Group with Follow.
func (g *Group) Follow(pid int) error {
	t, err := g.open(pid)
	if err != nil {
		return err
	}
	_, err = g.order(bpf.PinwatchOrderORDER_FOLLOW, t.TGID, 0)
	if err != nil {
		err = fmt.Errorf("follow process %d: %w", pid, err)
	}
	return errors.Join(err, t.Close())
}

// NoSlot counts the processes that should have become targets, or been followed, and found no room.
func (g *Group) NoSlot() (processes uint64) {
	if err := g.objs.NoSlot.Get(&processes); err != nil {
		panic(err) // cannot be: the variable is in mapped memory
	}
	return processes
}

// Emptied is to be called after each emptying of the buffers, with the number of targets. Slots of
// closed targets are used again once restLeast has passed: by then no program run knows them any more.
func (g *Group) Emptied(targets int) error {
	g.setShares(targets)
	g.mu.Lock()
	if time.Since(g.rested) < restLeast {
		g.mu.Unlock()
		return nil
	}
	g.rested = time.Now()
	free := g.resting[1]
	g.resting[1], g.resting[0] = g.resting[0], nil
	g.mu.Unlock()
	for _, slot := range free {
		if err := g.releaseSlot(slot); err != nil {
			return err
		}
	}
	return nil
}

// restLeast is far longer than a program runs, also where the hypervisor holds its CPU.
const restLeast = 30 * time.Millisecond

// releaseSlot clears a slot and has it used again.
func (g *Group) releaseSlot(slot uint32) error {
	*g.at(slot) = bpf.PinwatchTarget{Slot: slot}
	clear(g.shares[int(slot)*g.columns : (int(slot)+1)*g.columns])
	if _, err := g.order(bpf.PinwatchOrderORDER_RELEASE, 0, slot); err != nil {
		return fmt.Errorf("release a slot: %w", err)
	}
	return nil
}

// setShares divides the half of each buffer that first come first served does not fill. Targets that
// come before the next call find a share: half as many as there are, and one.
func (g *Group) setShares(targets int) {
	shares := uint32(targets + targets/2 + 1)
	err := errors.Join(
		g.objs.ShareBytes.Set(uint32(g.Buffers.ringBytes)/2/shares),
		g.objs.ShareTurns.Set(max(1, uint32(g.Buffers.TurnsPerCPU)/2/shares)),
	)
	if err != nil {
		panic(err) // cannot be: the variables are in mapped memory
	}
}

// Close removes everything from the kernel and closes all members.
func (g *Group) Close() error {
	g.mu.Lock()
	members := g.members
	g.members = nil
	g.mu.Unlock()
	var err error
	for _, m := range members {
		err = errors.Join(err, m.detach(), m.Target.Close())
	}
	return errors.Join(err, g.detach())
}
