package correlate

import (
	"bytes"
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pinwatch/pinwatch/events"
)

// Forgetting ended threads and using their memory again changes nothing but the list of threads: it
// has every living thread and the busiest of the others.
func TestForgettingChangesNothing(t *testing.T) {
	omitted, again := uint64(0), 0
	for seed := range uint64(30) {
		few, all := newLives(seed, 10), newLives(seed, math.MaxInt/forgetFrom)
		for range 4000 {
			few.step()
			all.step()
			all.c.samples.unusedSignals = nil // and nothing is used again
		}
		few.end()
		all.end()
		if len(few.results) != len(all.results) || len(all.results) < 3 {
			t.Fatalf("seed %d: %d results, and %d where nothing is forgotten", seed, len(few.results), len(all.results))
		}
		for i, got := range few.results {
			want := all.results[i]
			if want.ThreadsOmitted != 0 || uint64(len(got.Threads))+got.ThreadsOmitted != uint64(len(want.Threads)) {
				t.Errorf("seed %d, result %d: %d threads and %d more, want %d",
					seed, i, len(got.Threads), got.ThreadsOmitted, len(want.Threads))
			}
			omitted += got.ThreadsOmitted
			if got, want := busiest(got, few.c.windows.keep), busiest(want, few.c.windows.keep); !slices.Equal(got, want) {
				t.Errorf("seed %d, result %d: the busiest ran for %v, want %v", seed, i, got, want)
			}
			if got, want := living(got), living(want); got != want {
				t.Fatalf("seed %d, result %d:\n%s\nand where nothing is forgotten\n%s", seed, i, got, want)
			}
		}
		again += len(few.c.threads.unused) * len(few.c.samples.unusedSignals)
	}
	if omitted == 0 || again == 0 {
		t.Errorf("%d threads omitted; and nothing used again: %v", omitted, again == 0)
	}
}

// busiest returns how long the n busiest of the ended threads ran.
func busiest(r *Result, n int) (runs []int64) {
	for i := range r.Threads {
		if r.Threads[i].ExitedAt != 0 {
			runs = append(runs, r.Threads[i].Run)
		}
	}
	slices.SortFunc(runs, func(a, b int64) int { return cmp.Compare(b, a) })
	return runs[:min(n, len(runs))]
}

// living prints the result with its living threads only.
func living(r *Result) string {
	rest := *r
	rest.ThreadsOmitted = 0
	rest.Threads = slices.DeleteFunc(slices.Clone(r.Threads), func(th Thread) bool { return th.ExitedAt != 0 })
	var out bytes.Buffer
	dump(&out, &rest)
	return out.String()
}

// lives are threads that begin, run, send each other SIGURG and end, and are freed a while later.
// The observation is cut into intervals, which are settled some events later.
type lives struct {
	c       *Correlator
	rng     *rand.Rand
	now     events.Time
	next    uint32
	alive   []*life
	dead    []*life // not yet freed
	settle  int     // steps until the interval that was cut is settled; 0 = none was
	results []*Result
}

type life struct {
	tid    uint32
	cpu    uint16
	out    events.Time // when it last left its CPU, or began; 0 = not known
	fresh  bool
	signal int // 1 = one is pending, 2 = it is handled
}

func newLives(seed uint64, keep int) *lives {
	l := &lives{c: New(Config{TGID: 1}), rng: rand.New(rand.NewPCG(seed, 1)), now: 1000, next: 2}
	l.c.windows.keep = keep
	l.add(events.Event{Kind: events.WindowStart, Flags: events.WindowIntervals})
	return l
}

// add adds an event a little later and returns its time.
func (l *lives) add(e events.Event) events.Time {
	l.now += 1 + events.Time(l.rng.IntN(50))
	e.Time = l.now
	l.results = append(l.results, l.c.Add(&e)...)
	return l.now
}

func (l *lives) step() {
	if l.settle > 0 {
		if l.settle--; l.settle == 0 {
			l.add(events.Event{Kind: events.WindowSettled})
		}
	}
	switch n := l.rng.IntN(100); {
	case n < 15 || len(l.alive) < 2:
		l.birth()
	case n < 60:
		l.turn(l.rng.IntN(len(l.alive)), 0)
	case n < 70:
		l.signal()
	case n < 83:
		l.death(l.rng.IntN(len(l.alive)))
	case n < 98 && len(l.dead) > 0:
		l.add(events.Event{Kind: events.ProcessFree, TID: l.dead[0].tid})
		l.dead = l.dead[1:]
	case n >= 98 && l.settle == 0:
		l.add(events.Event{Kind: events.WindowCut})
		l.settle = 1 + l.rng.IntN(100)
	}
}

func (l *lives) birth() {
	t := &life{tid: l.next, cpu: uint16(l.rng.IntN(100)), fresh: true}
	l.next++
	t.out = l.add(events.Event{Kind: events.NewTask, TID: t.tid,
		Args: [8]uint64{events.ArgParent: 1, events.ArgChildNSTID: uint64(t.tid)}})
	l.alive = append(l.alive, t)
}

// turn adds a thread's return to its CPU and its switch-out.
func (l *lives) turn(i int, flags uint8) {
	t := l.alive[i]
	flags |= events.SwitchRun | events.SwitchWake
	if t.out != 0 {
		flags |= events.SwitchOff
	}
	last := t.cpu
	if t.fresh {
		flags |= events.SwitchFirst
		last = 0xffff
	}
	wake := l.now + events.Time(l.rng.IntN(100))
	in := wake + events.Time(l.rng.IntN(100))
	l.now = in + events.Time(l.rng.IntN(1000))
	out := l.now + 1
	e := events.Event{Kind: events.Switch, Time: out, TID: t.tid, CPU: t.cpu, Flags: flags, Args: [8]uint64{
		events.ArgRunNS: uint64(out - in), events.ArgRunqNS: uint64(in - wake), events.ArgLastCPU: uint64(last),
	}}
	if t.out != 0 {
		e.Args[events.ArgBlockedNS] = uint64(wake - t.out)
	}
	l.now = out
	l.results = append(l.results, l.c.Add(&e)...)
	t.out, t.fresh = out, false
}

// signal adds the sending of a SIGURG, its delivery, or the return from its handler.
func (l *lives) signal() {
	from, to := l.alive[l.rng.IntN(len(l.alive))], l.alive[l.rng.IntN(len(l.alive))]
	if to.signal++; to.signal > 1 {
		kinds := [...]events.Kind{2: events.SignalDeliver, 3: events.Sigreturn}
		l.add(events.Event{Kind: kinds[to.signal], TID: to.tid})
		to.signal %= 3
		return
	}
	enter := l.add(events.Event{Kind: events.TgkillEnter, TID: from.tid})
	l.add(events.Event{Kind: events.SignalGenerate, TID: to.tid, Flags: events.TargetOnCPU, Args: [8]uint64{
		events.ArgSender: uint64(from.tid), events.ArgSenderTGID: 1, events.ArgTgkillEnter: uint64(enter),
	}})
	l.add(events.Event{Kind: events.TgkillExit, TID: from.tid, Args: [8]uint64{events.ArgEnter: uint64(enter)}})
}

func (l *lives) death(i int) {
	t := l.alive[i]
	l.add(events.Event{Kind: events.ExitEnter, TID: t.tid})
	l.add(events.Event{Kind: events.ProcessExit, TID: t.tid})
	l.turn(i, events.SwitchDead)
	l.alive = slices.Delete(l.alive, i, i+1)
	l.dead = append(l.dead, t)
}

// end adds the deaths of many threads between the end of the observation and its settling.
func (l *lives) end() {
	if l.settle > 0 {
		l.add(events.Event{Kind: events.WindowSettled})
	}
	l.add(events.Event{Kind: events.WindowEnd})
	for len(l.alive) > 2 {
		l.death(0)
	}
	for _, t := range l.dead {
		l.add(events.Event{Kind: events.ProcessFree, TID: t.tid})
	}
	l.add(events.Event{Kind: events.WindowSettled})
}
