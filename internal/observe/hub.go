package observe

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/loader"
)

// hub gives the records of one set of programs to the targets they are of. It is driven by one
// goroutine; only programs are read by others.
//
//	buffers ─► fetch ─► order by time ─► dispatch by tid ─► the target's order ─► its correlator
//
// A target's own events (its windows, its threads' Ms, pauses) go straight into its order.
type hub struct {
	*sensor
	cfg    GroupConfig
	group  *loader.Group
	kernel kernelSides // the same
	ring   *events.Ring
	drain  func(before events.Time, out func(*events.Event)) (events.Drained, error) // of ring
	order  events.Reorder

	members []*member          // that are not done
	byPID   map[int]*member    // the last one of each process, while it lives
	bySlot  map[uint32]*member // that are not done, by their slot in the kernel side
	threads
	unknown map[uint32]events.Time // slots of targets whose Exec records were not seen, and when that was found
	looked  events.Time            // for unknown ones

	breakpoint func() (time.Duration, error) // what one costs, measured once

	read        readMembers
	readProgram func(*member)
	known       known
	wake        chan struct{}  // a program has been read, or an exec was recorded
	readers     chan struct{}  // one for each program that is being read
	background  sync.WaitGroup // what is read

	start     events.Time
	first     events.Time // where the first window begins: others are read meanwhile
	until     events.Time // all records before are dispatched, but for slack
	longest   time.Duration
	wait      time.Duration
	behind    bool
	strays    uint64
	problems  int
	noRoom    uint64      // processes that found no room, besides those that wait and those that the kernel counts
	refusals  uint64      // of the kernel side, when it was asked
	full      bool        // there is no room: what is found waits
	freed     events.Time // when a target ended since; 0 = none
	refused   map[int]bool
	mostFiles uint64      // that may be open
	finishing events.Time // no process becomes a target from here on; 0 = not yet
	seen      uint64
	reports   *reports
	missedNow map[string]uint64 // nil = not asked for yet
	finding   atomic.Bool       // find is at work
	err       error             // that ends the observation
	detached  error             // of detaching members
}

func newHub(cfg GroupConfig, s *sensor) *hub {
	return &hub{
		sensor: s, cfg: cfg, bySlot: map[uint32]*member{}, byPID: map[int]*member{}, refused: map[int]bool{},
		threads: threads{executing: map[uint32]*replacement{},
			leaving: map[uint32]events.Event{}, dropped: map[uint32]*member{}, sweepAt: sweepLeast},
		mostFiles:   math.MaxUint64,
		readProgram: (*member).readProgram, wake: make(chan struct{}, 1), readers: make(chan struct{}, groupReaders),
	}
}

func (h *hub) now() events.Time { return events.Time(h.kernel.Now()) }

// loop observes until the duration, the context or the last target ends.
func (h *hub) loop(ctx context.Context) error {
	for _, pid := range h.cfg.PIDs {
		h.add(pid, true, 1)
	}
	if h.cfg.Find != nil {
		h.read.find(h.cfg.Find())
		h.addFound()
	}
	if err := h.awaitFirst(ctx); err != nil {
		return err
	}
	h.start = h.now()
	h.first = h.start
	for _, m := range h.members {
		if m.started != 0 {
			h.first = min(h.first, m.started)
		}
	}
	h.count()
	if h.cfg.OnBegin != nil {
		if err := h.cfg.OnBegin(); err != nil {
			return err
		}
	}
	for _, m := range h.members {
		m.o.loop.held = false
	}
	if h.targets() == 0 && h.cfg.OnIdle != nil {
		h.cfg.OnIdle()
	}
	h.wait = pollLeast
	duration, interval := h.cfg.Duration, h.cfg.Interval
	cut, end, found := h.start+events.Time(interval), h.start+events.Time(duration), h.start
	poll := time.NewTimer(h.wait)
	defer poll.Stop()
	for {
		if !h.behind {
			select {
			case <-ctx.Done():
				return h.finish()
			case <-poll.C:
			case <-h.wake:
			}
		} else if ctx.Err() != nil {
			return h.finish()
		}
		before := h.now()
		if err := h.tick(before); err != nil {
			return err
		}
		if before.Sub(found) >= findEvery {
			found = before
			h.dropEnded()
			h.find()
		}
		if h.cfg.OnProgress != nil {
			h.count()
			h.cfg.OnProgress(before.Sub(h.start), h.seen)
		}
		switch {
		case duration > 0 && before >= end:
			return h.finish()
		case len(h.members) == 0 && !h.cfg.Watch && h.cfg.Find == nil:
			h.kernel.TargetEnded()
			return nil
		case interval > 0 && before >= cut:
			for _, m := range h.members {
				h.cut(m)
			}
			for cut <= h.now() {
				cut += events.Time(interval)
			}
		}
		wait := h.wait
		if duration > 0 {
			wait = min(wait, end.Sub(before))
		}
		if interval > 0 {
			wait = min(wait, cut.Sub(before))
		}
		poll.Reset(max(wait, pollLeast))
	}
}

// count passes on how many targets there are.
func (h *hub) count() {
	if h.cfg.OnCount != nil {
		h.cfg.OnCount(h.targets())
	}
}

// targets counts the members that are targets. Others have executed a program that was not judged yet.
func (h *hub) targets() (n int) {
	for _, m := range h.members {
		if m.begun && !m.done {
			n++
		}
	}
	return n
}

// awaitFirst returns when the windows of the first targets have begun; lastSteps after the context's end
// in any case.
func (h *hub) awaitFirst(ctx context.Context) error {
	waiting := func() bool {
		return h.read.toAdd() && !h.full ||
			slices.ContainsFunc(h.members, func(m *member) bool { return !m.begun && m.exec == 0 })
	}
	for begun := h.now(); waiting() && (ctx.Err() == nil || h.now().Sub(begun) < lastSteps); {
		select {
		case <-h.wake:
		case <-time.After(pollLeast):
		}
		if err := h.tick(h.now()); err != nil {
			return err
		}
	}
	if len(h.members) == 0 && !h.cfg.Watch && h.cfg.Find == nil {
		return h.nothing()
	}
	return nil
}

// tick takes one batch of records and lets each target that has some get on.
func (h *hub) tick(before events.Time) error {
	seen := h.seen
	d, err := h.fetch(before)
	if err != nil {
		return err
	}
	if err := h.times.Collect(); err != nil {
		return err
	}
	h.forgetMissed()
	h.behind = d.Until < before
	h.wait = nextPoll(h.wait, h.longest, d.Fill, h.seen-seen)
	h.addFound()
	for _, m := range h.read.take(d.Until) {
		h.begin(m)
		if err := h.fetchWoken(); err != nil {
			return err
		}
	}
	dispatched := d.Until - events.Time(slack)
	h.completeExecs(dispatched)
	h.findLost(before, dispatched)
	h.sweep(dispatched)
	pause := time.Duration(len(h.members)) * tendEach
	for i := 0; i < len(h.members); i++ { // fetch may add some
		h.tend(h.members[i], before, dispatched, pause)
		if err := h.fetchWoken(); err != nil {
			return err
		}
	}
	h.members = slices.DeleteFunc(h.members, func(m *member) bool { return m.done })
	return errors.Join(h.err, h.reports.failed())
}

// missedOnce is stats.Missed, once for all targets that ask in one tick: that is a system call for each
// program.
func (h *hub) missedOnce() (_ map[string]uint64, err error) {
	if h.missedNow == nil {
		h.missedNow, err = h.stats.Missed()
	}
	return h.missedNow, err
}

// forgetMissed is to be called where time passes.
func (h *hub) forgetMissed() { h.missedNow = nil }

// fetchWoken takes records if the kernel side has woken the hub: a program must be held while it lives.
func (h *hub) fetchWoken() error {
	select {
	case <-h.wake:
		_, err := h.fetch(h.now())
		return err
	default:
		return nil
	}
}

// fetch takes one batch of records from the buffers and dispatches those that no older one can follow.
func (h *hub) fetch(before events.Time) (events.Drained, error) {
	d, err := h.drain(before, h.take)
	if err == nil {
		err = h.kernel.Emptied(len(h.members))
	}
	if err != nil {
		h.err = cmp.Or(h.err, err)
		return d, err
	}
	h.until = d.Until
	h.order.Release(d.Until-events.Time(slack), h.dispatch)
	return d, nil
}

// finish ends the windows of all targets now.
func (h *hub) finish() error {
	end := h.now()
	h.finishing = end
	if !slices.ContainsFunc(h.members, func(m *member) bool { return !m.done && m.kernel.process().Alive() }) {
		h.kernel.TargetEnded() // detaching takes longer than what follows
	}
	// Those that have ended by now get to their end by themselves.
	for h.until <= end+events.Time(slack) || h.read.pending() > 0 && h.now().Sub(end) < lastSteps {
		time.Sleep(pollLeast)
		if err := h.tick(h.now()); err != nil {
			return err
		}
	}
	var last events.Time
	for _, m := range h.members {
		if h.end(m); !m.done {
			last = max(last, m.o.loop.settled)
		}
	}
	for last != 0 && h.until <= last+events.Time(slack) {
		time.Sleep(pollLeast)
		if _, err := h.fetch(h.now()); err != nil {
			return err
		}
	}
	h.forgetMissed()
	for _, m := range h.members {
		if !m.done {
			h.settle(m)
		}
	}
	h.members = nil
	return h.err
}
