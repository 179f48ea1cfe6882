package correlate

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pinwatch/pinwatch/correlate/stats"
	"github.com/pinwatch/pinwatch/events"
)

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
			return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(b.WaitNS, a.WaitNS), cmp.Compare(b.RanLast, a.RanLast), cmp.Compare(a.What, b.What),
				cmp.Compare(a.ID, b.ID), cmp.Compare(a.Name, b.Name))
		})
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Delay) int {
		return cmp.Or(cmp.Compare(b.WaitNS, a.WaitNS), cmp.Compare(a.Entry, b.Entry))
	})
	return rows
}
