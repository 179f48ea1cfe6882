package findings

import (
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
)

// awake has sysmon run for some ns in each of n wake-ups per second.
func awake(n uint64, ns int64) func(*correlate.Result, *About) {
	return func(r *correlate.Result, a *About) {
		s, seconds := &r.Threads[1], int64(r.End.Sub(r.Start)/time.Second)
		s.Switches, s.Run = n*uint64(seconds), int64(n)*seconds*ns
		s.Blocked = seconds*second - s.Run - s.Runq
		a.Goroutines = map[int32]Goroutine{103: {Entry: "main.poll", InCall: true}, 104: {Entry: "main.other"},
			105: {Entry: "runtime.gcBgMarkWorker"}, 106: {}}
		r.Threads[3].Switches, r.Threads[5].Switches, r.Threads[6].Switches = 5000*uint64(seconds), 1e9, 1e9
	}
}

func TestSysmonBusy(t *testing.T) {
	info, warn := []string{"sysmon-busy info"}, []string{"sysmon-busy warn"}
	charged := func(cpu time.Duration) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) { awake(5000, 5_000)(r, a); a.SysmonCPU = &cpu }
	}
	run(t, []scenario{
		{"busy", 5, awake(5000, 4_000), info},
		{"less", 5, awake(5000, 3_999), nil},
		{"dear", 5, awake(10_000, 5_000), warn},
		{"seldom awake", 5, awake(999, 100_000), nil},
		{"a burst", 0, func(r *correlate.Result, a *About) {
			awake(10_000, 5_000)(r, a)
			r.End = r.Start + 9e8
			r.Threads[1].Switches, r.Threads[1].Run = 10_000, 5e7
		}, nil},
		{"the kernel's account counts", 5, charged(250 * time.Millisecond), warn},
		{"and less of it", 5, charged(99 * time.Millisecond), nil},
	})
	r, a := healthy(5), about
	charged(845*time.Millisecond)(r, &a)
	f := find(r, a)[0]
	const want = "sysmon, the Go runtime's monitor thread, takes 16.9 % of one CPU with 5000 wake-ups per s: it does " +
		"not slow " +
		"down, because goroutines are in short system calls or in C all the time: most of all main.poll (at the end on " +
		"thread 103, which itself waited 5000 times per s)"
	if f.Message != want || !strings.HasPrefix(f.Advice, "in main.poll, wait without") ||
		f.Evidence["function"] != "main.poll" ||
		f.Cost.CPU != 0.169 {
		t.Errorf("%s\n%s\n%v", f.Message, f.Advice, f.Evidence)
	}

	for _, c := range []struct {
		stops         uint64
		words, advice string
	}{
		{500, "it does not slow down, because the runtime stops goroutines again and again, mostly to collect garbage " +
			"(100 signals per s)", "the garbage collector runs too often"},
		{499, "or of a program that falls idle and becomes busy many times a second: which of them it is was not seen",
			"wait without"},
	} {
		r, a := healthy(5), about
		awake(5000, 5_000)(r, &a)
		a.Goroutines[103] = Goroutine{Entry: "main.poll"}               // has waited for anything, in no call now
		a.Goroutines[108] = Goroutine{Entry: "main.read", InCall: true} // all the time
		r.Threads[8].Switches = 0
		r.Causes = []correlate.Cause{{What: "preempt", Cause: "for_each_p", N: c.stops}, {What: "create", N: 1000}}
		f := find(r, a)[0]
		if !strings.HasSuffix(f.Message, c.words) || !strings.HasPrefix(f.Advice, c.advice) || f.Evidence["function"] != nil {
			t.Errorf("%s\n%s\n%v", f.Message, f.Advice, f.Evidence)
		}
	}
}
