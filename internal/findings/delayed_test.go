package findings

import (
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
)

// delays makes n waits of ns each of the pinned thread, all for one task.
func delays(n int, ns int64, by correlate.DelayedBy) func(*correlate.Result, *About) {
	return func(r *correlate.Result, _ *About) {
		d := correlate.Delay{Entry: r.Threads[8].Lock.Entry, Threads: []int32{r.Threads[8].TID}, WaitNS: int64(n) * ns}
		for range n {
			d.Wait.Add(ns)
		}
		by.N, by.WaitNS, by.MaxNS = uint64(n), d.WaitNS, ns
		d.By = []correlate.DelayedBy{by}
		r.Delays = append(r.Delays, d)
	}
}

func TestPinnedThreadDelayed(t *testing.T) {
	info, warn := []string{"pinned-thread-delayed info"}, []string{"pinned-thread-delayed warn"}
	backup := correlate.DelayedBy{What: "process", ID: 7, Name: "backup"}
	own := correlate.DelayedBy{What: "own_thread", ID: 103}
	isolated := func(n int, ns int64, by correlate.DelayedBy) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) { delays(n, ns, by)(r, a); r.Delays[0].Isolated = true }
	}
	run(t, []scenario{
		{"often", 10, delays(10, second/100, backup), info},
		{"not often", 10, delays(9, second/50, backup), nil},
		{"short", 10, delays(10, second/100-1, backup), nil},
		{"a tenth", 10, delays(100, second/100, backup), warn},
		{"on an isolated CPU", 10, isolated(1, 5000, backup), info},
		{"idle there", 10, isolated(1, 2_000_000, correlate.DelayedBy{What: "idle"}), nil},
		{"own threads", 10, delays(20, second/100, own), info},
		{"own threads, and the CPU is shared", 10, func(r *correlate.Result, a *About) {
			shared(second/5, 100)(r, a)
			delays(20, second/100, own)(r, a)
		}, []string{"pinned-thread-shares-core info"}},
	})
	for _, tt := range []struct {
		by            correlate.DelayedBy
		words, advice string
	}{
		{backup, "meanwhile ran backup, pid 7 (100 % of the waits)", "before the other process"},
		{correlate.DelayedBy{What: "process", ID: 7}, "ran a process that has ended, pid 7 (", "before the other process"},
		{correlate.DelayedBy{What: "kernel_thread", Name: "kworker/3:1"}, "the kernel thread kworker/3:1 (", "IRQ affinity"},
		{own, "another thread of this program (tid 103) (", "lower GOMAXPROCS"},
		{correlate.DelayedBy{What: "idle"}, "nothing (the CPU was idle", "steal time"},
	} {
		r, a := healthy(10), about
		delays(20, second/100, tt.by)(r, &a)
		f := find(r, a)[0]
		if !strings.Contains(f.Message, tt.words) || !strings.Contains(f.Advice, tt.advice) {
			t.Errorf("%+v:\n%s\n%s", tt.by, f.Message, f.Advice)
		}
	}
	r, a := healthy(10), about
	shared(0, 1)(r, &a)
	delays(20, second/100, backup)(r, &a)
	f := find(r, a)[0]
	const want = "1 pinned thread of gl.(*Loop).run waited for a CPU 20 times in 10 s, 10 ms for 1 in 100 of them, " +
		"10 ms at worst: 2 % of the time in all; meanwhile ran backup, pid 7 (100 % of the waits)"
	if f.Message != want || !strings.HasPrefix(f.Advice,
		"the thread may run on CPU 3 only") || f.Evidence["delays"] != int64(20) {
		t.Errorf("%s\n%s\n%v", f.Message, f.Advice, f.Evidence)
	}
}
