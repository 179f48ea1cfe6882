package findings

import (
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
)

// quota sets a quota of some CPUs that was used up in n of 100 periods.
func quota(cpus float64, n uint64) func(*correlate.Result, *About) {
	return func(_ *correlate.Result, a *About) {
		a.Quota = &Quota{Group: "/sys/fs/cgroup/x", Limit: time.Duration(cpus * 100e6), Period: 100 * time.Millisecond,
			Periods: 100, Throttled: n, Time: 8 * time.Second}
	}
}

func TestThrottled(t *testing.T) {
	info, warn := []string{"cpu-throttled info"}, []string{"cpu-throttled warn"}
	run(t, []scenario{
		{"never", 10, quota(4, 0), nil},
		{"now and then", 10, quota(4, 4), nil},
		{"one time in twenty", 10, quota(4, 5), info},
		{"not yet most of the time", 10, quota(4, 24), info},
		{"a quarter of the time", 10, quota(4, 25), warn},
		{"in periods that began before the window", 10, quota(4, 101), warn},
		{"no period at all", 10, func(r *correlate.Result, a *About) { quota(4, 1)(r, a); a.Quota.Periods = 0 }, nil},
		{"a lower bound is enough", 10, func(r *correlate.Result, a *About) { quota(4, 100)(r, a); lose(r) }, warn},
	})
	r, a := healthy(10), about
	quota(4, 49)(r, &a)
	r.ThrottlesKnown = true
	for i := range r.Threads {
		r.Threads[i].Throttled, r.Threads[i].Runq = second, 0
	}
	r.Threads[0].Runq = second / 2
	f := find(r, a)[0]
	const want = "the CPU quota was used up in 49 of 100 periods (49 %): cgroup /sys/fs/cgroup/x may use 4 CPUs (400 ms " +
		"in each " +
		"100 ms), GOMAXPROCS is 4; it kept all threads together from running for about 9 s, beside 500 ms of waiting for a " +
		"CPU"
	if f.Message != want || f.Evidence["threads_throttled_ns"] != 9*second || !strings.Contains(f.Advice, "in bursts") {
		t.Errorf("%s\n%v\n%s", f.Message, f.Evidence, f.Advice)
	}
	r.ThrottlesKnown, a.GOMAXPROCS = false, 0
	if f := find(r, a)[0]; strings.Contains(f.Message, "together") || f.Evidence["threads_throttled_ns"] != nil ||
		f.Evidence["gomaxprocs"] != nil {
		t.Errorf("%s\n%v", f.Message, f.Evidence)
	}
}

func TestProcsMismatch(t *testing.T) {
	info, warn := []string{"gomaxprocs-mismatch info"}, []string{"gomaxprocs-mismatch warn"}
	confined := func(cpus ...int) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) {
			a.Affinity = map[int32][]int{}
			for i := range r.Threads {
				a.Affinity[r.Threads[i].TID] = cpus
			}
		}
	}
	run(t, []scenario{
		{"as many as CPUs", 10, confined(0, 1, 2, 3), nil},
		{"fewer than CPUs", 10, confined(0, 1, 2, 3, 4, 5), nil},
		{"a CPU too few", 10, confined(0, 1, 2), info},
		{"half of the CPUs", 10, confined(4, 5), warn},
		{"one thread may use the others", 10, func(r *correlate.Result, a *About) {
			confined(4, 5)(r, a)
			a.Affinity[100] = []int{0, 1}
		}, nil},
		{"quota of as many", 10, quota(3.5, 0), nil},
		{"quota of fewer", 10, quota(3, 0), info},
		{"quota of two", 10, quota(2, 0), warn},
		{"quota of less than the runtime's least", 10, func(r *correlate.Result, a *About) {
			quota(0.2, 0)(r, a)
			a.GOMAXPROCS = leastProcs
		}, nil},
		{"changed in this window", 10, func(r *correlate.Result, a *About) {
			confined(0, 1, 2, 3)(r, a)
			a.AffinityBefore = a.Affinity
			confined(4, 5)(r, a)
		}, nil},
		{"not known", 10, func(r *correlate.Result, a *About) { confined(0)(r, a); a.GOMAXPROCS = 0 }, nil},
	})
	r, a := healthy(10), about
	confined(4, 5, 6)(r, &a)
	quota(2, 0)(r, &a)
	f := find(r, a)[0]
	const want = "GOMAXPROCS is 4, but the program can use only 2 CPUs: the quota of cgroup /sys/fs/cgroup/x is 2 CPUs"
	if f.Message != want || f.Evidence["affinity_cpus"] != 3 || f.Evidence["quota_cpus"] != 2.0 {
		t.Errorf("%s\n%v", f.Message, f.Evidence)
	}
}

// TestFrozenProcess: what did not happen while the process was frozen proves nothing.
func TestFrozenProcess(t *testing.T) {
	run(t, []scenario{
		{"pins that were not woken", 60, func(r *correlate.Result, a *About) {
			idlePins(3, 60, nil)(r, a)
			r.Paused = 51 * second
		}, nil},
		{"all the time", 60, func(r *correlate.Result, a *About) {
			idlePins(3, 60, nil)(r, a)
			r.Paused = 60 * second
		}, nil},
	})
	r := healthy(10)
	exitedLocked(churnCount)(r, nil)
	r.Paused = 9 * second
	if f := find(r, about)[0]; f.Evidence["destroyed_per_s"] != float64(churnCount) {
		t.Errorf("%v: the rate is of the second in which it ran", f.Evidence)
	}
}
