package correlate

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// Every file testdata/SCENARIO.txt is a stream in the text form of events; its Results are in
// SCENARIO.golden. The target is 100, CPUs 0 and 1 are siblings, asyncPreempt is at 4096, sysmon at
// 8192, templateThread at 12288, main.worker at 16384, a function of which the runtime locks the
// goroutine at 20480, and runtime.memmove at 32768.
// A line "stack N FUNCTION…" defines stack N, innermost function first; a function may be written
// function@file:line. A line "locks" sets Config.Locks, "locks from TIME" LocksFrom; "light", "aggregate", "pauses",
// "throttles" and "other runtimes" set the fields of these names.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".txt")
		t.Run(filepath.Base(name), func(t *testing.T) {
			var got bytes.Buffer
			for _, r := range replay(t, file, maxListed) {
				if err := Validate(r); err != nil {
					t.Errorf("invalid result: %v", err)
				}
				dump(&got, r)
			}
			testenv.Golden(t, name+".golden", got.Bytes())
		})
	}
}

// replay returns the results of a scenario; followed is how many threads never are sleepers.
func replay(t *testing.T, file string, followed int) []*Result {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stacks := map[uint64][]Frame{}
	cfg := Config{TGID: 100, AsyncPreempt: 4096, Sysmon: 8192, TemplateThread: 12288,
		Distance: func(a, b int) string {
			if a/2 == b/2 {
				return "smt"
			}
			return "llc"
		},
		Stack: func(id uint64) []Frame { return stacks[id] },
		Func: func(pc uint64) string {
			return map[uint64]string{16384: "main.worker", 20480: "runtime.ensureSigM.func1"}[pc]
		},
		Code: func(pc uint64) string {
			return map[uint64]string{32768: "runtime.memmove"}[pc]
		},
		RuntimeLocks: func(pc uint64) bool { return pc == 20480 },
		Sites:        true,
		Light:        bytes.Contains(text, []byte("\nlight\n")), Aggregate: bytes.Contains(text, []byte("\naggregate\n")),
		Pauses: bytes.Contains(text, []byte("\npauses\n")), Throttles: bytes.Contains(text, []byte("\nthrottles\n")),
		OtherRuntimes: bytes.Contains(text, []byte("\nother runtimes\n")),
		LocksFrom:     locksFrom(t, text),
		Locks:         bytes.HasPrefix(text, []byte("locks\n")) || bytes.Contains(text, []byte("\nlocks\n")),
	}
	c := New(cfg)
	c.sleepers.from = followed
	var results []*Result
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		settings := []string{"", "locks", "light", "aggregate", "pauses", "throttles", "other runtimes"}
		if slices.Contains(settings, line) || line[0] == '#' || strings.HasPrefix(line, "locks from ") {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "stack "); ok {
			id, frames := parseStack(t, rest)
			stacks[id] = frames
			continue
		}
		e, err := events.ParseText(line)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, c.Add(&e)...)
	}
	if len(results) == 0 {
		t.Fatal("the scenario settles no window")
	}
	return results
}

// locksFrom reads a line "locks from TIME": Config.LocksFrom.
func locksFrom(t *testing.T, text []byte) events.Time {
	_, rest, found := bytes.Cut(text, []byte("\nlocks from "))
	if !found {
		return 0
	}
	word, _, _ := strings.Cut(string(rest), "\n")
	at, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return events.Time(at)
}

// dumpLock prints a thread's M and its lock.
func dumpLock(w *bytes.Buffer, t *Thread) {
	l, h := &t.Lock, &t.Handoff
	if t.Role == "unknown" && l.State == "unknown" && l.MaxExt == 0 {
		return
	}
	fmt.Fprintf(w, "    role=%s lock=%s", t.Role, l.State)
	if t.M != nil {
		fmt.Fprintf(w, " m=%d", *t.M)
	}
	if l.Ext+l.Int+l.MaxExt > 0 {
		fmt.Fprintf(w, " ext=%d int=%d max=%d goid=%d entry=%q parked=%v holds=%d held=%d",
			l.Ext, l.Int, l.MaxExt, l.GoID, l.Entry, l.Parked, l.Holds, l.HeldMin)
		if l.HeldMax != nil {
			fmt.Fprintf(w, "-%d", *l.HeldMax)
		}
	}
	if h.N > 0 {
		fmt.Fprintf(w, " handoffs=%d wake=%d cpu=%d", h.N, h.WakeNS, h.CPUNS)
	}
	if len(l.Sites) > 0 {
		fmt.Fprintf(w, " sites=%q", l.Sites)
	}
	if t.Cause != "" && t.Cause != "unknown" {
		fmt.Fprintf(w, " cause=%s by %q", t.Cause, t.CauseFunction)
	}
	fmt.Fprintln(w)
}

func parseStack(t *testing.T, line string) (id uint64, frames []Frame) {
	t.Helper()
	fields := strings.Fields(line)
	id, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		t.Fatalf("stack %s: %v", line, err)
	}
	for _, field := range fields[1:] {
		name, place, _ := strings.Cut(field, "@")
		file, number, _ := strings.Cut(place, ":")
		n, _ := strconv.Atoi(number)
		frames = append(frames, Frame{Func: name, File: file, Line: n})
		if name == "C:" { // not in the Go program
			frames[len(frames)-1].Func = ""
		}
	}
	return id, frames
}

// dump prints the fields of a result that are not zero, and no rows of "unknown".
func dump(w *bytes.Buffer, r *Result) {
	fmt.Fprintf(w, "window [%d, %d) interval=%v\n", r.Start, r.End, r.Interval)
	c := r.Counts
	known := func(n *uint64) uint64 {
		if n == nil {
			return 0
		}
		return *n
	}
	for _, n := range []struct {
		name string
		v    uint64
	}{
		{"threads", c.Threads}, {"created", c.ThreadsCreated}, {"exited", c.ThreadsExited}, {"killed", c.ThreadsKilled},
		{"sent", known(c.SigurgSent)}, {"generated", c.SigurgGenerated}, {"coalesced", c.SigurgCoalesced},
		{"delivered", c.SigurgDelivered}, {"foreign", c.SigurgForeign}, {"not_injected", known(c.SigurgNotInjected)},
		{"switches", c.Switches}, {"migrations", c.Migrations},
		{"broken", r.Loss.BrokenLinks}, {"lost", r.Loss.Total()}, {"untracked", r.Loss.Untracked},
		{"untracked_turns", r.Loss.UntrackedTurns}, {"omitted", r.ThreadsOmitted},
	} {
		if n.v != 0 {
			fmt.Fprintf(w, "  %s=%d", n.name, n.v)
		}
	}
	fmt.Fprintln(w)
	if c.Migrations > 0 {
		fmt.Fprintf(w, "  moves %v %v\n", r.Moves.ByWhy, r.Moves.ByDistance)
	}
	if r.PausesKnown {
		fmt.Fprintf(w, "  paused=%d\n", r.Paused)
	}
	for _, k := range r.Costs {
		if k.Hist.N() == 0 && k.Unfinished == 0 || k.Locked == "unknown" || k.Cause == "unknown" {
			continue
		}
		fmt.Fprintf(w, "  %s %s", k.ID, k.Phase)
		if k.Locked != "" {
			fmt.Fprintf(w, " locked=%s", k.Locked)
		}
		for _, s := range []string{k.Bound, k.Cause, k.State} {
			if s != "" {
				fmt.Fprintf(w, " %s", s)
			}
		}
		fmt.Fprintf(w, ": n=%d", k.Hist.N())
		if k.Hist.N() > 0 {
			fmt.Fprintf(w, " min=%d max=%d", k.Hist.Min(), k.Hist.Max())
		}
		if k.OffCPU != nil {
			fmt.Fprintf(w, " off=%g", *k.OffCPU)
		}
		if k.Unfinished != 0 {
			fmt.Fprintf(w, " unfinished=%d", k.Unfinished)
		}
		fmt.Fprintln(w)
	}
	for _, t := range r.Threads {
		fmt.Fprintf(w, "  thread %d %q by=%d start=%d exit=%d switches=%d migrations=%d",
			t.TID, t.Name, t.CreatedBy, t.StartedAt, t.ExitedAt, t.Switches, t.Migrations)
		fmt.Fprintf(w, " run=%d runq=%d blocked=%d unknown=%d", t.Run, t.Runq, t.Blocked, t.Unknown)
		if t.Paused+t.Throttled > 0 {
			fmt.Fprintf(w, " paused=%d throttled=%d", t.Paused, t.Throttled)
		}
		fmt.Fprintf(w, " cpus=%v\n", t.CPUs)
		dumpLock(w, &t)
	}
	if r.Locks.Observations > 0 {
		fmt.Fprintf(w, "  locks observations=%d unknown=%d", r.Locks.Observations, r.Locks.Unknown)
		if c.LockedThreads != nil {
			fmt.Fprintf(w, " now=%d max=%d exited=%d", *c.LockedThreads, *c.LockedThreadsMax, known(c.ThreadsExitedLocked))
			if n := known(c.LockedByRuntime); n > 0 {
				fmt.Fprintf(w, " runtime=%d", n)
			}
		}
		fmt.Fprintln(w)
	}
	for _, d := range r.ParentDeaths {
		fmt.Fprintf(w, "  parent_death signal=%d %q threads=%d children=%d\n", d.Signal, d.Function, d.Threads, d.Children)
	}
	for _, k := range r.Calls {
		fmt.Fprintf(w, "  call %+v\n", k)
	}
	for _, d := range r.Delays {
		fmt.Fprintf(w, "  delayed %q isolated=%v n=%d sum=%d max=%d threads=%v", d.Entry, d.Isolated, d.Wait.N(), d.WaitNS,
			d.Wait.Max(), d.Threads)
		for _, by := range d.By {
			fmt.Fprintf(w, " by %+v", by)
		}
		fmt.Fprintln(w)
	}
	for _, k := range r.Causes {
		if k.Cause != "unknown" {
			fmt.Fprintf(w, "  cause %s %s %q %q: %d\n", k.What, k.Cause, k.Reason, k.Function, k.N)
		}
	}
	for i := range r.Stops {
		s := &r.Stops[i]
		fmt.Fprintf(w, "  stops %s n=%d unfinished=%d min=%d max=%d\n", s.Kind, s.Hist.N(), s.Unfinished, s.Hist.Min(),
			s.Hist.Max())
	}
	for _, d := range r.StopDelays {
		fmt.Fprintf(w, "  delayed by %d %s %q: n=%d sum=%d max=%d\n", d.TID, d.Why, d.Function, d.N, d.Sum, d.Max)
	}
	for _, s := range r.Unclassified {
		fmt.Fprintf(w, "  unclassified %s %q: %d\n", s.What, s.Frames, s.N)
	}
	for _, h := range r.Handoffs {
		fmt.Fprintf(w, "  handoffs %q n=%d wake=%d cpu=%d relays=%d of %d\n", h.Entry, h.N, h.Wake.N(), h.CPUNS,
			h.Relays.N(), h.Relays.Max())
	}
	if r.EndRelays.N() > 0 {
		fmt.Fprintf(w, "  relays of ended threads: %d of %d\n", r.EndRelays.N(), r.EndRelays.Max())
	}
	for _, s := range r.Sites {
		fmt.Fprintf(w, "  site %s %s:%d calls=%d outer=%d released=%d ended=%d held=%d for %d to %d from %q\n",
			s.Function, s.File, s.Line, s.Calls, s.Outer, s.Released, s.Ended, s.Held, s.HeldMin, s.HeldMax, s.Stack)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintln(w, "  warning:", warning)
	}
}
