package correlate

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pinwatch/pinwatch/correlate/stats"
	"github.com/pinwatch/pinwatch/events"
)

// turn handles a Switch: the thread leaves its CPU now; the times of its last switch-out, wake-up
// and switch-in are relative to that.
func (c *Correlator) turn(e *events.Event) {
	t := c.threadOf(e.TID)
	now := e.Time
	in := now - events.Time(e.Args[events.ArgRunNS])
	wake := in - events.Time(e.Args[events.ArgRunqNS])
	out := wake - events.Time(e.Args[events.ArgBlockedNS])
	if t.deadAt != 0 {
		t = c.takeOver(t, out)
	}

	switch {
	case e.Has(events.SwitchRun | events.SwitchOff):
		c.windows.endPause(out, wake)
		c.windows.accountTurn(t, e.CPU, out, wake, in, now)
		c.endAbsence(t, e.Has(events.SwitchFirst), out, wake, in)
		c.switchIn(t, e, in)
	case e.Has(events.SwitchRun):
		c.samples.addAbsence(t, t.accounted, in)
		c.windows.endPause(0, wake)
		c.windows.accountOff(t, t.stateBefore(e), e.CPU, 0, wake)
		c.windows.accountOff(t, classRunq, e.CPU, wake, in)
		c.switchIn(t, e, in)
		c.windows.account(t, classRun, in, now)
	case !e.Has(events.SwitchOff) && t.lastOut == 0 && t.createdAt == 0: // it has run since before the programs did
		c.windows.addCPU(t, e.CPU, t.accounted, now)
		t.addRun(t.accounted, now, e.Has(events.SwitchPreempted))
		c.windows.account(t, classRun, t.accounted, now)
	default: // its switch-in was not traced: when its wait ended and its run began is not known
		c.windows.breakLink()
		c.windows.account(t, classBlocked, t.lastOut, t.lastOut+events.Time(e.Args[events.ArgBlockedNS]))
		c.windows.account(t, classUnknown, t.accounted, now)
		c.samples.addUnknownAbsence(t, now)
		c.switchIn(t, e, now) // a run never changes its CPU, so where it began is known
	}
	if e.Has(events.SwitchRun) {
		c.samples.endResumes(t, in)
		if e.Has(events.SwitchOff) || e.Has(events.SwitchWake) { // or it has slept since before the attach
			c.countHandoff(t, e, wake, in)
		}
		c.countRelay(t, e, in, now)
		t.addRun(in, now, e.Has(events.SwitchPreempted))
	} else {
		t.relay = relay{}
		t.forgetResumes(now)
	}
	c.stopTurn(t, e, out, wake, in)
	c.locks.observeKind(t, uint8(e.Args[events.ArgLock]), now, !e.Has(events.SwitchPreempted))
	t.noteWait(e)
	if !c.cpus.add(e.CPU, in, now) {
		c.windows.breakLink()
	}
	c.windows.bans.lastOut = now
	t.lastOut, t.preempted = now, e.Has(events.SwitchPreempted)
	t.countAbsence()
	c.windows.countSwitchOut(t, e.CPU, max(in, 1), now)
	if e.Has(events.SwitchDead) {
		c.lastSwitchOut(t, now)
	}
}

// stateBefore is where a thread without history was from the first snapshot to the wake-up of its
// first turn. It was not on a CPU, for then its switch-out would have come first: its task's on_cpu
// outlasts a switch-out that was before the attach (kernel/sched/core.c, finish_task), for as long as
// the hypervisor keeps the CPU.
func (t *thread) stateBefore(e *events.Event) timeClass {
	switch {
	case t.state != classRun || t.lastOut != 0:
		return t.state
	case e.Has(events.SwitchWake):
		return classBlocked
	}
	return classUnknown
}

// noteWait notes whether the thread has left its CPU to wait for its locked goroutine, by the flags
// of a Switch or a Sum.
func (t *thread) noteWait(e *events.Event) {
	t.parked = e.Has(events.SwitchParked) && !e.Has(events.SwitchPreempted)
	t.lock.parked = t.parked
	if t.parked {
		t.awaited = lockedTo{t.lockKind(), t.lock.goid, t.lock.entry}
	}
}

// endAbsence ends an absence whose time is accounted.
func (c *Correlator) endAbsence(t *thread, first bool, out, wake, in events.Time) {
	if t.lastOut != 0 && t.lastOut != out {
		c.windows.breakLink() // records between were lost: what happened then is not known
	}
	c.samples.addAbsence(t, out, in)
	if first {
		c.firstRun(t, wake, in)
	}
}

// switchIn counts a switch-in once, though both a snapshot and the record of the turn may have it.
func (c *Correlator) switchIn(t *thread, e *events.Event, in events.Time) {
	if in <= t.lastIn {
		return
	}
	t.lastIn = in
	last := e.LastCPU()
	if last < 0 && t.createdAt == 0 && t.lastOut == 0 {
		last = t.firstCPU
	}
	if last < 0 || last == int(e.CPU) {
		return
	}
	w := c.windows.find(in, in)
	if w == nil {
		return
	}
	why := e.Args[events.ArgWhy]
	if why >= uint64(len(whyNames)) {
		why = 0
	}
	c.windows.share(w, t).migrations++
	w.moves.byWhy[why]++
	w.moves.byDistance[c.cfg.Distance(last, int(e.CPU))]++
}

// cpuTimes hold, by CPU, when the last known run of the target on it ended.
type cpuTimes []events.Time

// add adds a run. It is false when the run overlaps the one before on that CPU.
func (c *cpuTimes) add(cpu uint16, in, out events.Time) bool {
	if n := int(cpu) + 1 - len(*c); n > 0 {
		*c = append(*c, make([]events.Time, n)...)
	}
	joins := in >= (*c)[cpu] || in == out
	(*c)[cpu] = out
	return joins
}

// delayKey is what delays are added up by.
type delayKey struct {
	entry    uint64 // the first function of the goroutine that holds the thread
	isolated bool   // on CPUs that the machine keeps for chosen threads
}

// delays are a ledger's delays of one key.
type delays struct {
	wait    stats.Histogram
	threads map[int32]bool
	by      map[otherTask]*DelayedBy
}

// otherTask identifies who ran while a thread waited, as in DelayedBy.
type otherTask struct {
	what, name string
	id         int32
}

// maxDelayedBy bounds the tasks that are kept apart for one function. The others are added up.
const maxDelayedBy = 64

// delay handles a Delay: a locked thread had waited long for a CPU before the turn that ends now. Its
// lock is as last read, so a lock that was taken in that turn does not count. Nor does a wait in
// which the process was not allowed to run.
func (c *Correlator) delay(e *events.Event) {
	t := c.threadOf(e.TID)
	in := events.Time(e.Args[events.ArgWaitEnd])
	from := in - events.Time(e.Args[events.ArgWait])
	if !heldByUser(t.lock.kind) || t.lock.ofRuntime || t.lock.since > in || c.windows.bans.in(e.CPU, from, in) {
		return
	}
	w := c.windows.find(from, in)
	if w == nil {
		return
	}
	d := w.delaysOf(delayKey{t.lock.entry, e.Has(events.DelayIsolated)})
	d.wait.Add(int64(in - from))
	if len(d.threads) < maxEntryThreads {
		d.threads[t.nsTID] = true
	}
	before := d.task(c.otherTask(e, e.Flags, events.ArgBefore, events.ArgBeforeComm))
	before.RanLast++
	if e.Has(events.DelayPreempted) {
		before = d.task(c.otherTask(e, e.Flags>>events.DelayTakerShift, events.ArgTaker, events.ArgTakerComm))
	}
	before.add(&DelayedBy{N: 1, WaitNS: int64(in - from), MaxNS: int64(in - from)})
}

// in reports whether a ban was seen in a wait for a CPU.
func (b *bookBans) in(cpu uint16, from, to events.Time) bool {
	if int(cpu) < len(b.cpus) && b.cpus[cpu].in(from, to) {
		return true
	}
	return b.process.in(from, to)
}

func (b *bans) in(from, to events.Time) bool {
	return slices.ContainsFunc(b.last[:], func(k ban) bool { return k.seen != 0 && k.from < to && from < k.untilOr(to) })
}

// otherTask returns the identity of a task of a Delay.
func (c *Correlator) otherTask(e *events.Event, flags uint8, id, comm int) otherTask {
	o := otherTask{"process", e.NameAt(comm), int32(e.Args[id])}
	switch {
	case flags&events.DelayBeforeIdle != 0:
		return otherTask{what: "idle"}
	case flags&events.DelayBeforeKernel != 0:
		o.what = "kernel_thread"
	case flags&events.DelayBeforeOwn != 0:
		o.what = "own_thread"
		if t := c.threads.get(uint32(o.id)); t != nil {
			o.id = t.nsTID
		}
	}
	return o
}

func (l *ledger) delaysOf(key delayKey) *delays {
	d := l.delays[key]
	if d == nil {
		d = &delays{threads: map[int32]bool{}, by: map[otherTask]*DelayedBy{}}
		l.delays[key] = d
	}
	return d
}

func (d *delays) task(o otherTask) *DelayedBy {
	if d.by[o] == nil && len(d.by) >= maxDelayedBy {
		o = otherTask{what: "others"}
	}
	by := d.by[o]
	if by == nil {
		by = &DelayedBy{What: o.what, ID: o.id, Name: o.name}
		d.by[o] = by
	}
	return by
}

func (b *DelayedBy) add(o *DelayedBy) {
	b.N += o.N
	b.WaitNS += o.WaitNS
	b.MaxNS = max(b.MaxNS, o.MaxNS)
	b.RanLast += o.RanLast
}

// merge adds the delays in a part of the window.
func (d *delays) merge(o *delays) {
	d.wait.Merge(&o.wait)
	for tid := range o.threads {
		if len(d.threads) < maxEntryThreads {
			d.threads[tid] = true
		}
	}
	for task, by := range o.by {
		d.task(task).add(by)
	}
}

// delayRows lists the delays of a ledger by the name of the function, those of the longest wait first.
func (p *program) delayRows(l *ledger) []Delay {
	type key struct {
		name     string
		isolated bool
	}
	byName := map[key]*delays{}
	for k, d := range l.delays {
		name := key{isolated: k.isolated}
		if k.entry != 0 {
			name.name = p.function(k.entry)
		}
		if byName[name] == nil {
			byName[name] = &delays{threads: map[int32]bool{}, by: map[otherTask]*DelayedBy{}}
		}
		byName[name].merge(d)
	}
	var rows []Delay
	for k, d := range byName {
		row := Delay{Entry: k.name, Isolated: k.isolated, Threads: slices.Sorted(maps.Keys(d.threads)), Wait: d.wait}
		for _, by := range d.by {
			row.By = append(row.By, *by)
			row.WaitNS += by.WaitNS
		}
		slices.SortFunc(row.By, func(a, b DelayedBy) int {
			return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(b.WaitNS, a.WaitNS), cmp.Compare(b.RanLast, a.RanLast),
				cmp.Compare(a.What, b.What), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Name, b.Name))
		})
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Delay) int {
		return cmp.Or(cmp.Compare(b.WaitNS, a.WaitNS), cmp.Compare(a.Entry, b.Entry))
	})
	return rows
}
