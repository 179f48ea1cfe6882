package findings

import (
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
)

// alike gives every thread of the healthy program the same attributes.
func alike(r *correlate.Result, a *About) {
	a.Attributes = Attributes{Names: []string{"network namespace", "umask", "nice"}, ByTID: map[int32][]string{}}
	for i := range r.Threads {
		a.Attributes.ByTID[r.Threads[i].TID] = []string{"net:[1]", "0022", "0"}
	}
}

func TestThreadDiffers(t *testing.T) {
	one := []string{"thread-differs warn"}
	set := func(tid int32, values ...string) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) { alike(r, a); a.Attributes.ByTID[tid] = values }
	}
	run(t, []scenario{
		{"nothing known", 10, func(*correlate.Result, *About) {}, nil},
		{"all alike", 10, alike, nil},
		{"a worker", 10, set(104, "net:[2]", "0022", "0"), one},
		{"the main thread", 10, set(100, "net:[1]", "0022", "5"), one},
		{"the template thread, which makes others", 10, set(102, "net:[1]", "0022", "5"), one},
		{"a pinned thread", 10, set(108, "net:[2]", "0022", "0"), nil},
		{"a thread of C code", 10, func(r *correlate.Result, a *About) {
			set(104, "net:[2]", "0022", "0")(r, a)
			r.Threads[4].Role = "foreign"
		}, nil},
		{"lock not known", 10, func(r *correlate.Result, a *About) {
			set(104, "net:[2]", "0022", "0")(r, a)
			r.Threads[4].Lock.State = "unknown"
		}, nil},
		{"ended", 10, func(r *correlate.Result, a *About) {
			set(104, "net:[2]", "0022", "0")(r, a)
			r.Threads[4].ExitedAt = 6e9
		}, nil},
		{"not readable", 10, set(104, "", "0022", "0"), nil},
		{"not read", 10, set(104), nil},
		{"the process's is not readable", 10, func(r *correlate.Result, a *About) {
			set(104, "net:[2]", "0022", "0")(r, a)
			a.Attributes.ByTID[101] = []string{"", "0022", "0"}
		}, nil},
		{"most of the pool, but not sysmon", 10, func(r *correlate.Result, a *About) {
			alike(r, a)
			for tid := int32(103); tid < 108; tid++ {
				a.Attributes.ByTID[tid] = []string{"net:[2]", "0022", "0"}
			}
		}, one},
		{"without sysmon the most count", 10, func(r *correlate.Result, a *About) {
			set(104, "net:[2]", "0022", "0")(r, a)
			delete(a.Attributes.ByTID, 101)
		}, one},
		{"two ways", 10, func(r *correlate.Result, a *About) {
			set(104, "net:[2]", "0022", "0")(r, a)
			a.Attributes.ByTID[105] = []string{"net:[1]", "0022", "5"}
		}, []string{"thread-differs warn", "thread-differs warn"}},
	})
	r, a := healthy(10), about
	alike(r, &a)
	a.Attributes.ByTID[104] = []string{"net:[2]", "0077", "0"}
	a.Attributes.ByTID[105] = []string{"net:[2]", "0077", "0"}
	r.Threads[5].Run = 0
	f := find(r, a)[0]
	const want = "2 threads of the pool, locked to no goroutine, with another state than the process: network namespace " +
		"net:[2] (process: net:[1]), umask 0077 (process: 0022); goroutines that know nothing of it ran there for 2.5 s " +
		"in this window"
	if f.Message != want || !slices.Equal(f.Evidence["tids"].([]int32), []int32{104, 105}) {
		t.Errorf("%s\n%v", f.Message, f.Evidence)
	}
	r.Threads[4].Run = 0
	if f := find(r, a)[0]; strings.Contains(f.Message, "ran there") || f.Evidence["ran_ns"] != int64(0) {
		t.Errorf("%s\n%v", f.Message, f.Evidence)
	}
}

func TestOverridden(t *testing.T) {
	one := []string{"affinity-overridden warn"}
	moved := func(set, setNow string, now ...int) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) {
			a.AffinityBefore, a.Affinity = map[int32][]int{}, map[int32][]int{}
			for i := range r.Threads {
				a.AffinityBefore[r.Threads[i].TID] = []int{0, 1, 2, 3}
				a.Affinity[r.Threads[i].TID] = []int{0, 1, 2, 3}
			}
			a.AffinityBefore[108], a.Affinity[108] = []int{3}, now
			a.CPUSetBefore, a.CPUSet = set, setNow
		}
	}
	but := func(edit func(r *correlate.Result, a *About)) func(*correlate.Result, *About) {
		return func(r *correlate.Result, a *About) { moved("0-3", "0-2", 0, 1, 2)(r, a); edit(r, a) }
	}
	asleepAll := func(r *correlate.Result, a *About) {
		moved("0-3", "0-3", 2)(r, a)
		r.Threads[8].Run, r.Threads[8].Switches = 0, 0
	}
	run(t, []scenario{
		{"by its cpuset", 10, moved("0-3", "0-2", 0, 1, 2), one},
		{"still bound", 10, moved("0-3", "0-3", 3), nil},
		{"perhaps by itself", 10, moved("0-3", "0-3", 2), nil},
		{"by somebody else: it did not run", 10, asleepAll, one},
		{"records of it may be lost", 10, func(r *correlate.Result, a *About) { asleepAll(r, a); lose(r) }, nil},
		{"not known before", 10, but(func(_ *correlate.Result, a *About) { delete(a.AffinityBefore, 108) }), nil},
		{"not known now", 10, but(func(_ *correlate.Result, a *About) { delete(a.Affinity, 108) }), nil},
		{"cpuset not known", 10, but(func(_ *correlate.Result, a *About) { a.CPUSetBefore = "" }), nil},
		{"was not bound", 10, but(func(_ *correlate.Result, a *About) { a.AffinityBefore[108] = []int{0, 1, 2, 3} }), nil},
		{"not pinned", 10, but(func(r *correlate.Result, _ *About) { r.Threads[8].Lock.State = "none" }), nil},
	})
	r, a := healthy(10), about
	moved("0-3", "0-2", 0, 1, 2)(r, &a)
	const want = "thread 108 of gl.(*Loop).run was bound to CPU 3 and is now to 0-2: its cpuset was changed from CPU " +
		"0-3 to 0-2 meanwhile"
	if f := find(r, a)[0]; f.Message != want {
		t.Errorf("%s", f.Message)
	}
}
