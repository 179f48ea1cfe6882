package text

import (
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/report"
)

// TestLockedForSignals: the thread that the runtime itself locks is named, and only that.
func TestLockedForSignals(t *testing.T) {
	entry, one, none, exit := "runtime.ensureSigM.func1", uint32(1), uint32(0), int64(7)
	own := report.Thread{TID: 41, Lock: "runtime", LockedExt: &one, LockEntry: &entry}
	ended := own
	ended.ExitNS = &exit
	for name, c := range map[string]struct {
		th   report.Thread
		want bool
	}{
		"for signals":      {own, true},
		"ended":            {ended, false},
		"while C calls Go": {report.Thread{TID: 41, Lock: "runtime", LockedExt: &none}, false},
		"the program's":    {report.Thread{TID: 41, Lock: "user", LockedExt: &one}, false},
	} {
		p := newPage(Options{})
		p.locked(&report.Report{Threads: []report.Thread{c.th}, Locks: report.Locks{Observations: 1}})
		var text strings.Builder
		if err := p.write(&text); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(text.String(), "thread 41 is locked by "+entry); got != c.want {
			t.Errorf("%s: named %v, want %v:\n%s", name, got, c.want, text.String())
		}
	}
}

func TestStops(t *testing.T) {
	number := func(ns int64) *int64 { return &ns }
	tid, function := int32(103), "runtime.memmove"
	p := newPage(Options{})
	p.stops(&report.Report{
		Stops: []report.Stops{{Kind: "gc", N: 2, Unfinished: 1, P50NS: number(2000), P99NS: number(3e6), MaxNS: number(3e6)},
			{Kind: "other", Unfinished: 1}},
		RuntimeStops: []report.RuntimeStops{{Kind: "gc", N: 3, SumLeastNS: 6e6, SumMostNS: 8e6, LongestLeastNS: number(5e6),
			LongestMostNS: number(6e6)}, {Kind: "other"}},
		StopDelays: []report.StopDelay{{TID: &tid, Why: "running", Function: &function, N: 1, SumNS: 3e6, MaxNS: 3e6},
			{Why: "unknown", N: 1, SumNS: 1e6, MaxNS: 1e6}},
	})
	const want = "world stops gc 2 (p50 2.00 µs, p99 3.00 ms, max 3.00 ms), 1 without an end · other 0, 1 without " +
		"an end all stops gc 3 (longest about 5.50 ms, sum about 7.00 ms) · counted by the runtime " +
		"slow stops tid 103 running in runtime.memmove · 1 of 1 ms or longer, max 3.00 ms, sum 3.00 ms " +
		"slow stops tid – unknown · 1 of 1 ms or longer, max 1.00 ms, sum 1.00 ms"
	if got := strings.Join(strings.Fields(p.b.String()), " "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
