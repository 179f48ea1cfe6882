package correlate

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/events"
)

// A result is the same whether threads may be sleepers or not, but for the rows of the sleepers:
// in every scenario, and in streams of threads that mostly sleep.
func TestSleepersChangeNothing(t *testing.T) {
	slept, woken := uint64(0), 0
	compare := func(t *testing.T, got, want []*Result) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%d results, want %d", len(got), len(want))
		}
		for i := range got {
			if err := Validate(got[i]); err != nil {
				t.Errorf("invalid result: %v", err)
			}
			slept += got[i].Sleepers.N
			if got, want := withoutSleepers(t, got[i], got[i]), withoutSleepers(t, want[i], got[i]); got != want {
				t.Errorf("result %d: lines %s", i, differences(got, want))
			}
		}
	}
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { compare(t, replay(t, file, 0), replay(t, file, math.MaxInt)) })
	}
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			got, want := newSleepy(seed, 5), newSleepy(seed, math.MaxInt)
			for range 300 {
				got.step()
				want.step()
			}
			got.boundary(events.WindowEnd)
			want.boundary(events.WindowEnd)
			woken += sleepyThreads - 5 - len(got.c.sleepers.byTID)
			compare(t, got.results, want.results)
		})
	}
	if slept == 0 || woken == 0 {
		t.Errorf("%d sleepers, %d woken", slept, woken)
	}
}

// withoutSleepers prints a result with the threads that with lists. The others have to be asleep
// and unlocked, and as many as with counts.
func withoutSleepers(t *testing.T, r, with *Result) string {
	t.Helper()
	rest := *r
	rest.Sleepers = Sleepers{}
	rest.Threads = nil
	for _, th := range r.Threads {
		if slices.ContainsFunc(with.Threads, func(o Thread) bool { return o.TID == th.TID && o.StartedAt == th.StartedAt }) {
			rest.Threads = append(rest.Threads, th)
		} else if th.Run+th.Runq+th.Unknown != 0 || th.Switches != 0 || th.ExitedAt != 0 || th.Lock.Ext+th.Lock.Int != 0 {
			t.Errorf("a sleeper is not listed for %+v", th)
		}
	}
	if missing := len(r.Threads) - len(rest.Threads); r != with && uint64(missing) != with.Sleepers.N {
		t.Errorf("%d threads are not listed, %d sleepers", missing, with.Sleepers.N)
	}
	var out bytes.Buffer
	dump(&out, &rest)
	return out.String()
}

// differences lists the lines that are in one text only.
func differences(a, b string) string {
	var lines []string
	for i, text := range [...]string{a, b} {
		for line := range strings.Lines(text) {
			if !strings.Contains([...]string{b, a}[i], line) {
				lines = append(lines, fmt.Sprintf("%c %s", "+-"[i], line))
			}
		}
	}
	return strings.Join(lines, "")
}

const sleepyThreads = 60

// sleepy are threads of which few run, are locked, or end. Snapshots list those that live.
type sleepy struct {
	lives
	locked map[uint32]bool
}

func newSleepy(seed uint64, followed int) *sleepy {
	s := &sleepy{lives: lives{c: New(Config{TGID: 1, Locks: true}), rng: rand.New(rand.NewPCG(seed, 2)), now: 1000,
		next: sleepyThreads + 1},
		locked: map[uint32]bool{}}
	s.c.sleepers.from = followed
	for tid := range uint32(sleepyThreads) {
		s.alive = append(s.alive, &life{tid: tid + 1, cpu: uint16(tid)})
	}
	s.snapshot()
	s.readLocks()
	s.add(events.Event{Kind: events.WindowStart, Flags: events.WindowIntervals})
	return s
}

// snapshot lists the living threads. The kernel side knows no turn of those that have not run
// since the attach.
func (s *sleepy) snapshot() {
	for _, t := range s.alive {
		s.add(events.Event{Kind: events.Thread, TID: t.tid, CPU: t.cpu,
			Args: [8]uint64{events.ArgOff: uint64(t.out), events.ArgNSTID: uint64(t.tid)}})
	}
}

func (s *sleepy) readLocks() {
	for _, t := range s.alive {
		e := events.Event{Kind: events.Lock, TID: t.tid, Flags: events.LockNone, Args: [8]uint64{events.ArgRead: 1}}
		if s.locked[t.tid] {
			e.Flags, e.Args[events.ArgGoID], e.Args[events.ArgExt] = events.LockUser, uint64(t.tid), 1
		}
		s.add(e)
	}
}

func (s *sleepy) boundary(kind events.Kind) {
	s.readLocks()
	s.add(events.Event{Kind: kind})
	s.snapshot()
	for range s.rng.IntN(4) {
		s.happen()
	}
	s.add(events.Event{Kind: events.WindowSettled})
}

func (s *sleepy) step() {
	if s.rng.IntN(30) == 0 {
		s.boundary(events.WindowCut)
		return
	}
	s.happen()
}

// happen lets something happen to one of the first threads and, now and then, of all.
func (s *sleepy) happen() {
	i := s.rng.IntN(min(10+s.rng.IntN(30), len(s.alive)))
	switch n := s.rng.IntN(100); {
	case n < 60:
		s.turn(i, 0)
	case n < 70:
		s.signal()
	case n < 72:
		s.locked[s.alive[i].tid] = !s.locked[s.alive[i].tid]
	case n < 74 && len(s.alive) > 30:
		s.death(i)
	case n < 76:
		s.birth()
	case n < 78:
		s.add(events.Event{Kind: events.Sigmask, TID: s.alive[i].tid})
	case n < 80: // the record of a turn is lost
		s.now += 100
		s.alive[i].out = s.now
	case n < 81 && len(s.alive) > 30: // those of its end are
		s.alive = slices.Delete(s.alive, i, i+1)
	}
}
