package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/loader"
)

const (
	// pollEvery is how often the buffers are emptied; nothing wakes us in between. The fuller they are found the sooner they are
	// emptied again, down to pollLeast.
	pollEvery = 20 * time.Millisecond
	pollLeast = time.Millisecond
	// pollCalm is pollEvery where little happens, pollSums where turns are added up in the kernel as well: most of what an idle observer
	// takes is to wake up.
	pollCalm = 100 * time.Millisecond
	pollSums = 400 * time.Millisecond
	// slack is how long an event may take from its time stamp to the ring buffer. Normally that is nanoseconds, but a
	// hypervisor can hold a CPU just there.
	slack = 30 * time.Millisecond
	// lastSteps is how long threads of a process that has ended may take to leave their CPUs. Normally that is microseconds.
	lastSteps = time.Second
)

// observer drives one session: kernel → ring buffer → order → correlator.
type observer struct {
	session    *loader.Session
	ring       *events.Ring
	order      events.Reorder
	sums       *sums // nil: every turn is sent
	correlator *correlate.Correlator
	stats      *loader.Stats
	own        *loader.Overhead
	lost       [bpf.PinwatchEventKindKIND_COUNT]uint64 // already told to the correlator
	seen       uint64                                  // events so far
	program    *program
	onWindow   func(*correlate.Result) error
	tee        func(*events.Event) // sees every event as the correlator does, before it; nil = nobody
	behind     bool                // there was more in the buffers than one batch
	wait       time.Duration       // until the next poll
	longest    time.Duration       // that this may be
	settled    events.Time         // the last boundary's
	done       bool                // the whole observation is settled
	ended      bool                // the target has
	endSeen    events.Time         // when that was noticed
	err        error               // of onWindow
}

// plan says how long and in which steps to observe.
type plan struct {
	duration, interval time.Duration // 0 = until the context or the target ends; no intervals
	begun              func() error  // called once the window has begun
	tick               func(elapsed time.Duration, seen uint64)
}

// now is the kernel's CLOCK_MONOTONIC, which the events are stamped with.
func now() events.Time {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // cannot be: the clock exists and the pointer is valid
	}
	return events.Time(ts.Nano())
}

// run observes until the plan, the context or the target ends, and hands every settled window to onWindow, the whole
// observation last.
func (o *observer) run(ctx context.Context, p plan) (err error) {
	if o.lost, err = o.losses(); err != nil { // before the window: nobody's
		return err
	}
	if err := o.snapshot(); err != nil {
		return err
	}
	if err := o.readLocks(); err != nil {
		return err
	}
	if err := o.own.Collect(); err != nil {
		return err
	}
	at, err := o.sums.begin()
	if err != nil {
		return err
	}
	start := events.Event{Kind: events.WindowStart, Time: at}
	if p.interval > 0 {
		start.Flags = events.WindowIntervals
	}
	o.order.Push(&start)
	if err := p.begun(); err != nil {
		return err
	}

	o.wait = pollEvery
	poll := time.NewTimer(o.wait)
	defer poll.Stop()
	cut, end := start.Time+events.Time(p.interval), start.Time+events.Time(p.duration)
	for {
		if o.behind { // the next batch is there already
			if ctx.Err() != nil {
				return o.finish()
			}
		} else {
			select {
			case <-ctx.Done():
				return o.finish()
			case <-poll.C:
			}
		}
		before := now()
		if err := o.poll(before); err != nil {
			return err
		}
		poll.Reset(o.until(p, before, cut, end))
		if p.tick != nil {
			p.tick(before.Sub(start.Time), o.seen)
		}
		switch {
		case o.dead(before):
			return o.finish()
		case p.duration > 0 && before >= end:
			return o.finish()
		case p.interval > 0 && before >= cut:
			if err := o.boundary(events.WindowCut); err != nil {
				return err
			}
			for cut <= now() { // one longer interval rather than several late ones
				cut += events.Time(p.interval)
			}
		}
	}
}

// longestWait is how long the buffers may be left alone while little happens: what a CPU sends from then on must fit into its ring.
func longestWait(turnsPerCPU int, aggregate bool) time.Duration {
	most, fastest := pollCalm, 200_000 // turns a second that a CPU can send
	if aggregate {                     // those of threads that come and go, or are preempted
		most, fastest = pollSums, 40_000
	}
	return max(pollEvery, min(most, time.Duration(turnsPerCPU)*time.Second/time.Duration(fastest)))
}

// dead reports whether the target has ended and all its threads have left their CPUs for the last time. The kernel calls a process
// ended before that: a thread may be preempted in its last steps. Should the records of that be lost, they are not waited for.
func (o *observer) dead(before events.Time) bool {
	if !o.ended && !o.session.Target.Alive() {
		o.ended, o.endSeen = true, before
	}
	return o.ended && (o.correlator.Living() == 0 || before.Sub(o.endSeen) > lastSteps)
}

// poll takes one batch from the buffers and passes on what can have nothing older behind it.
func (o *observer) poll(before events.Time) error {
	d, err := o.ring.Drain(before, o.order.Push)
	if err != nil {
		return err
	}
	o.behind = d.Until < before
	if err := o.tellLosses(now()); err != nil {
		return err
	}
	if err := o.own.Collect(); err != nil {
		return err
	}
	seen := o.seen
	o.release(d.Until - events.Time(slack))
	o.wait = nextPoll(o.wait, o.longest, d.Fill, o.seen-seen)
	return o.err
}

// until is how long to wait for the next poll: not beyond the next boundary.
func (o *observer) until(p plan, now, cut, end events.Time) time.Duration {
	wait := o.wait
	if p.duration > 0 {
		wait = min(wait, end.Sub(now))
	}
	if p.interval > 0 {
		wait = min(wait, cut.Sub(now))
	}
	return max(wait, pollLeast)
}

// nextPoll is how long to wait for the next poll after a wait at whose end the buffers were that full and had so many events: so long
// that they fill to an eighth, no longer than most and no more than twice as long, and longer than pollEvery only for a few events.
func nextPoll(wait, most time.Duration, fill float64, n uint64) time.Duration {
	const aim, few = 1. / 8, 1000
	most = max(pollEvery, min(most, 2*wait, few*wait/time.Duration(max(1, n))))
	if fill*float64(most) <= aim*float64(wait) {
		return most
	}
	return max(pollLeast, time.Duration(float64(wait)*aim/fill))
}

func (o *observer) release(until events.Time) {
	o.order.Release(until, func(e *events.Event) {
		o.seen++
		if o.tee != nil {
			o.tee(e)
		}
		for _, r := range o.correlator.Add(e) {
			o.done = o.done || !r.Interval
			if o.err == nil {
				o.err = o.onWindow(r)
			}
		}
	})
}

// boundary ends a window now and has every thread looked at, so that its time is known up to here. Losses up to now are the
// window's.
func (o *observer) boundary(kind events.Kind) error {
	if err := o.readLocks(); err != nil {
		return err
	}
	at, err := o.sums.next(o.order.Push)
	if err != nil {
		return err
	}
	if err := o.tellLosses(at - 1); err != nil {
		return err
	}
	e := events.Event{Kind: kind, Time: at}
	if kind == events.WindowEnd && o.ended {
		e.Flags = events.WindowTargetEnded
	}
	o.order.Push(&e)
	if err := o.snapshot(); err != nil {
		return err
	}
	o.sums.read(at-1, o.order.Push)
	o.settled = now()
	o.order.Push(&events.Event{Kind: events.WindowSettled, Time: o.settled})
	return nil
}

// finish ends the observation. All that was stamped before its end is waited for, and no more: the target may go on as it likes.
func (o *observer) finish() error {
	if err := o.boundary(events.WindowEnd); err != nil {
		return err
	}
	time.Sleep(slack)
	for o.behind = true; o.behind && !o.done; {
		if err := o.poll(now()); err != nil {
			return err
		}
	}
	o.release(o.settled + 1)
	return o.err
}

// readLocks reads what the runtime's memory says of every living thread now: some may not have looked at it themselves for long.
func (o *observer) readLocks() error {
	if !o.program.locks() {
		return nil
	}
	records, err := o.session.Snapshot()
	if err != nil {
		return err
	}
	o.program.ms(loader.ThreadInfos(records), o.order.Push)
	return nil
}

// snapshot has the kernel say of every living thread what it is doing.
func (o *observer) snapshot() error {
	records, err := o.session.Snapshot()
	if err != nil {
		return err
	}
	for ; len(records) >= loader.SnapshotRecord; records = records[loader.SnapshotRecord:] {
		if err := events.DecodeSnapshot(records, o.order.Push); err != nil {
			return fmt.Errorf("list threads: %w", err)
		}
	}
	return nil
}

func (o *observer) tellLosses(at events.Time) error {
	lost, err := o.losses()
	if err != nil {
		return err
	}
	for kind, n := range lost {
		if n != o.lost[kind] {
			o.order.Push(&events.Event{Kind: events.Loss, Time: at, Args: [8]uint64{uint64(kind), n - o.lost[kind]}})
		}
	}
	o.lost = lost
	return nil
}

func (o *observer) losses() (lost [bpf.PinwatchEventKindKIND_COUNT]uint64, err error) {
	if lost, err = o.session.Lost(); err == nil {
		lost[events.Switch] += o.ring.LostTurns()
	}
	return lost, err
}

// startStats has the kernel account for our programs while the observation runs. stop ends that; fs.ErrPermission means that
// the kernel does not let us.
func startStats(ctx context.Context, st *loader.Stats) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- st.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}
