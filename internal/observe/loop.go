package observe

import (
	"context"
	"errors"
	"time"

	"github.com/pinwatch/pinwatch/bpf"
	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/loader"
)

const (
	// slack is how long an event may take from its time stamp to the ring buffer. Normally that is
	// nanoseconds, but a hypervisor can hold a CPU just there.
	slack = 30 * time.Millisecond
	// lastSteps is how long threads of a process that has ended may take to leave their CPUs.
	// Normally that is microseconds.
	lastSteps = time.Second
)

// loop drives the observation of one target: kernel → ring buffer → order → correlator.
type loop struct {
	cfg        *Config
	kernel     kernelSide
	fetch      fetch
	order      events.Reorder
	sums       *sums // nil: every turn is sent
	correlator *correlate.Correlator
	times      *loader.ProgramTimes
	program    *Program
	pins       *pinProbe                         // nil without Sites
	held       bool                              // until OnBegin: its stop is the caller's doing
	pauses     *pauses                           // nil: not read
	onEdge     func(at events.Time, begins bool) // at the ends of windows; begins: a window begins there
	onResult   func(*correlate.Result) error
	onEnd      func()    // called once the target has ended; nil = nothing
	ms         []reading // of all threads, at the end of the last window; nil: can't be read

	lost     losses        // already reported to the correlator
	seen     uint64        // events so far
	behind   bool          // the buffers held more than one batch
	wait     time.Duration // until the next poll
	longest  time.Duration // upper limit of wait
	followed events.Time   // time of the last followPlugins
	settled  events.Time   // time of the last boundary's WindowSettled
	end      events.Time   // of the window; 0 = it has not ended
	began    bool          // the window has begun
	done     bool          // the whole observation is settled
	ended    bool          // the target has ended
	endSeen  events.Time   // when ended was set
	err      error         // of onResult or pushListed
}

// A fetch takes one batch of the records that were stamped before now from the buffers, and puts those
// of a target into its order.
type fetch func(now events.Time) (events.Drained, error)

// now is the clock that the events are stamped with.
func (l *loop) now() events.Time { return events.Time(l.kernel.process().Now()) }

// run observes until the duration, the context or the target ends. It passes every settled Result
// to onResult, that of the whole observation last.
func (l *loop) run(ctx context.Context) error {
	start, err := l.begin(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	if l.wait = pollEvery; l.cfg.NotBegun {
		l.wait = pollLeast // it may live for a few milliseconds only
	}
	poll := time.NewTimer(l.wait)
	defer poll.Stop()
	gone := make(chan struct{})
	go func() {
		l.kernel.process().AwaitEnd()
		close(gone)
	}()
	duration, interval := l.cfg.Duration, l.cfg.Interval
	cut, end := start+events.Time(interval), start+events.Time(duration)
	for {
		if l.behind { // the next batch is there already
			if ctx.Err() != nil {
				return l.finish()
			}
		} else {
			select {
			case <-ctx.Done():
				return l.finish()
			case <-gone:
				gone = nil
			case <-poll.C:
			}
		}
		before := l.now()
		if err := l.poll(before); err != nil {
			return err
		}
		poll.Reset(l.nextWait(before, cut, end))
		if l.cfg.OnProgress != nil {
			l.cfg.OnProgress(before.Sub(start), l.seen)
		}
		switch {
		case l.targetGone(before):
			if l.endedBefore(start) {
				return endedError(l.cfg.PID)
			}
			return l.finish()
		case l.ended: // its last records are on their way
			poll.Reset(max(pollLeast, slack-l.now().Sub(l.endSeen)))
		case duration > 0 && before >= end:
			return l.finish()
		case interval > 0 && before >= cut:
			switch err := l.boundary(ctx, events.WindowCut); {
			case err == nil, errors.Is(err, errBoundary): // then the interval goes on
			case errors.Is(err, ctx.Err()):
				return l.finish()
			default:
				return err
			}
			for cut <= l.now() { // one longer interval rather than several late ones
				cut += events.Time(interval)
			}
		}
	}
}

// begin begins the first window and returns when. Losses before it belong to no window.
func (l *loop) begin(ctx context.Context) (at events.Time, err error) {
	if l.lost, err = l.kernel.losses(); err != nil {
		return 0, err
	}
	l.lost.untracked = 0 // threads without room stay so: every window has them
	if err := l.snapshot(); err != nil {
		return 0, err
	}
	if _, err := l.readLocks(); err != nil {
		return 0, err
	}
	if !l.cfg.NotBegun { // else it is stopped until OnBegin
		if err := l.pauses.readNow(l.now, l.order.Push); err != nil {
			return 0, err
		}
	}
	if err := l.times.Collect(); err != nil {
		return 0, err
	}
	if at, err = l.sums.begin(ctx, l.now); err != nil {
		return 0, err
	}
	if !l.kernel.process().Alive() {
		return 0, endedError(l.cfg.PID)
	}
	start := events.Event{Kind: events.WindowStart, Time: at}
	if l.cfg.Interval > 0 {
		start.Flags = events.WindowIntervals
	}
	l.order.Push(&start)
	l.began = true
	l.onEdge(at, true)
	if l.cfg.OnBegin != nil {
		err = l.cfg.OnBegin()
	}
	return at, err
}

// targetGone reports whether the target has ended and all its threads have left their CPUs for the
// last time. The kernel reports a process as ended before that: a thread may be preempted in its
// last steps. If those records are lost, the wait ends after lastSteps, once the buffers are empty.
func (l *loop) targetGone(before events.Time) bool {
	if !l.ended && !l.kernel.process().Alive() {
		l.ended, l.endSeen = true, l.now()
		if l.onEnd != nil {
			l.onEnd()
		}
	}
	allEnded := l.correlator.LastEnd() != 0 && l.correlator.Ended() // else the first events may not be released yet
	return l.ended && (allEnded || !l.behind && before.Sub(l.endSeen) > lastSteps)
}

// endedBefore reports whether the target, which is gone, ended before the window began. Lost records
// prove nothing.
func (l *loop) endedBefore(start events.Time) bool {
	return l.correlator.Ended() && l.correlator.LastEnd() < start
}

// poll takes one batch from the buffers and releases the events that no older one can follow.
func (l *loop) poll(before events.Time) error {
	seen := l.seen
	fill, err := l.drain(before)
	l.wait = nextPoll(l.wait, l.longest, fill, l.seen-seen)
	return err
}

// drain is poll without a wait before it. It returns how full the fullest buffer was.
func (l *loop) drain(before events.Time) (fill float64, err error) {
	d, err := l.fetch(before)
	if err != nil {
		return 0, err
	}
	l.behind = d.Until < before
	if err := l.times.Collect(); err != nil {
		return 0, err
	}
	return d.Fill, l.tend(d.Until - events.Time(slack))
}

// tend adds what is not in the records, and releases the events before a time.
func (l *loop) tend(before events.Time) error {
	l.followPlugins()
	if l.cfg.NotBegun {
		l.program.noteGOMAXPROCS()
	}
	if err := l.reportLosses(l.now()); err != nil {
		return err
	}
	if !l.held {
		if err := l.pauses.read(l.now, l.order.Push); err != nil {
			return err
		}
	}
	l.release(before)
	return l.err
}

// nextWait is the time until the next poll: not beyond the next boundary.
func (l *loop) nextWait(now, cut, end events.Time) time.Duration {
	wait := l.wait
	if l.cfg.Duration > 0 {
		wait = min(wait, end.Sub(now))
	}
	if l.cfg.Interval > 0 {
		wait = min(wait, cut.Sub(now))
	}
	return max(wait, pollLeast)
}

// release passes the events before a time to the correlator.
func (l *loop) release(before events.Time) {
	l.order.Release(before, l.add)
}

// add passes an event to the correlator.
func (l *loop) add(e *events.Event) {
	l.seen++
	if l.cfg.OnEvent != nil {
		l.cfg.OnEvent(e)
	}
	for _, r := range l.correlator.Add(e) {
		l.done = l.done || !r.Interval
		if l.err == nil {
			l.err = l.onResult(r)
		}
	}
}

// boundary ends a window now and takes a snapshot of every thread, so that the threads' times are
// known up to here. Losses up to now belong to the window.
func (l *loop) boundary(ctx context.Context, kind events.Kind) (err error) {
	if l.ms, err = l.readLocks(); err != nil {
		return err
	}
	if err := l.pauses.readNow(l.now, l.order.Push); err != nil {
		return err
	}
	at, err := l.sums.next(ctx, l.now, l.order.Push)
	if err != nil {
		return err
	}
	l.onEdge(at, kind == events.WindowCut)
	if err := l.reportLosses(at - 1); err != nil {
		return err
	}
	if kind == events.WindowEnd {
		l.end = at
	}
	e := events.Event{Kind: kind, Time: at}
	if kind == events.WindowEnd && l.ended {
		e.Flags = events.WindowTargetEnded
		if l.correlator.Ended() {
			e.Args[events.ArgEnded] = uint64(l.correlator.LastEnd())
		}
	}
	l.order.Push(&e)
	if err := l.snapshot(); err != nil {
		return err
	}
	l.sums.read(at-1, l.order.Push)
	l.settled = l.now()
	l.order.Push(&events.Event{Kind: events.WindowSettled, Time: l.settled})
	return nil
}

// finish ends the observation. It waits for what was stamped before the end, and for no more: the
// target may go on.
func (l *loop) finish() error {
	l.followRuntimes()
	if err := l.boundary(context.Background(), events.WindowEnd); err != nil {
		return err
	}
	time.Sleep(slack)
	for l.behind = true; l.behind && !l.done; {
		if err := l.poll(l.now()); err != nil {
			return err
		}
	}
	l.release(l.settled + 1)
	return l.err
}

// readLocks reads the lock of every living thread from the target's memory: a thread may not have
// reported its lock for long.
func (l *loop) readLocks() ([]reading, error) {
	if !l.program.locks() {
		return nil, nil
	}
	threads, err := l.kernel.ThreadInfos()
	if err != nil {
		return nil, err
	}
	proved := l.program.lockProved
	readings := l.program.readMs(threads, l.now, l.pushListed())
	if l.err == nil && l.program.lockProved && !proved {
		l.err = l.kernel.LockProved()
	}
	return readings, l.err
}

// snapshot asks the kernel for the state of every living thread.
func (l *loop) snapshot() error {
	push := l.pushListed()
	return l.kernel.Snapshot(func(record []byte) error { return errors.Join(events.DecodeSnapshot(record, push), l.err) })
}

// listedAtOnce is how many events of a list of all threads are pushed before older ones are
// released, so that those of 100,000 threads need not wait in memory together.
const listedAtOnce = 4096

// pushListed returns a function that pushes the events of a list of all threads, in the order of
// their times. An error is in l.err. An aggregating session releases nothing meanwhile: it reads
// sums after the list that are older.
func (l *loop) pushListed() func(*events.Event) {
	n := 0
	return func(e *events.Event) {
		l.order.PushListed(e)
		if n++; n%listedAtOnce == 0 && l.sums == nil && l.err == nil {
			_, l.err = l.drain(e.Time)
		}
	}
}

// losses are counted since the session began.
type losses struct {
	records   [bpf.PinwatchEventKindKIND_COUNT]uint64
	untracked uint64 // threads that found no room for their state
	turns     uint64 // of those threads
}

// reportLosses pushes a Loss event for every kind that has lost records since the last call, and an
// Untracked event if there is more of that.
func (l *loop) reportLosses(at events.Time) error {
	lost, err := l.kernel.losses()
	if err != nil {
		return err
	}
	for kind, n := range lost.records {
		if n != l.lost.records[kind] {
			args := [8]uint64{uint64(kind), n - l.lost.records[kind]}
			l.order.Push(&events.Event{Kind: events.Loss, Time: at, Args: args})
		}
	}
	if lost.untracked != l.lost.untracked || lost.turns != l.lost.turns {
		args := [8]uint64{lost.untracked, lost.turns - l.lost.turns}
		l.order.Push(&events.Event{Kind: events.Untracked, Time: at, Args: args})
	}
	l.lost = lost
	return nil
}
