package truth

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// resumeScript follows each thread of the target from the rt_sigreturn that lets it continue in
// asyncPreempt by way of preemptPark or goschedImpl, which give the goroutine up, to stoplockedm. A
// voluntary switch-out there, before execute runs a goroutine again, begins the wait for the locked
// goroutine. The next switch-in ends it. 0x100 in prev_state marks an involuntary switch-out.
//
// Its arguments are the target's pid, the pid of another process of the same program, which shows
// that the probes are attached, the program's file, and the addresses of these functions.
const resumeScript = `
tracepoint:syscalls:sys_enter_rt_sigreturn {
	if (pid == %[1]d) { @back[tid] = nsecs; delete(@preempted[tid]); delete(@yields[tid]); delete(@stopped[tid]); }
	if (pid == %[2]d) { printf("ready rt_sigreturn\n"); }
}
uprobe:%[3]s:%[4]d {
	if (pid == %[1]d) { @preempted[tid] = @back[tid]; }
	if (pid == %[2]d) { printf("ready asyncPreempt\n"); }
}
uprobe:%[3]s:%[5]d {
	if (pid == %[1]d && @preempted[tid]) { @yields[tid] = 1; }
	if (pid == %[2]d) { printf("ready preemptPark\n"); }
}
uprobe:%[3]s:%[6]d {
	if (pid == %[1]d && @preempted[tid]) { @yields[tid] = 1; }
	if (pid == %[2]d) { printf("ready goschedImpl\n"); }
}
uprobe:%[3]s:%[7]d {
	if (pid == %[1]d && @yields[tid]) { @stopped[tid] = 1; }
	if (pid == %[2]d) { printf("ready stoplockedm\n"); }
}
uprobe:%[3]s:%[8]d {
	if (pid == %[1]d) { delete(@preempted[tid]); delete(@yields[tid]); delete(@stopped[tid]); }
	if (pid == %[2]d) { printf("ready execute\n"); }
}
tracepoint:sched:sched_switch {
	if (pid == %[1]d && (args->prev_state & 0xff) && @preempted[tid]) {
		if (@stopped[tid]) { @parked[tid] = @preempted[tid]; @parks = count(); }
		delete(@preempted[tid]);
	}
	if (@parked[args->next_pid]) {
		printf("resume %%lld\n", nsecs - @parked[args->next_pid]);
		delete(@parked[args->next_pid]);
	}
}
END { clear(@back); clear(@preempted); clear(@yields); clear(@stopped); clear(@parked); }
`

// TestResumesAreTheRuntimes: each time a locked goroutine is preempted and its thread has to wait
// for it, that is a sample of P-6. By make truth, the samples take as long as bpftrace's.
func TestResumesAreTheRuntimes(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Bpftrace)
	if *judgeDurations {
		agreeOnDurations(t, func() []string { return compareResumes(t) })
	} else {
		agree(t, func() []string { return compareResumes(t) })
	}
}

func compareResumes(t *testing.T) (problems []string) {
	t.Helper()
	other := testenv.Workload(t, "spinners", "-gc", "5ms")
	var script *witness.Script
	var text string
	w := watch{workload: strings.Fields("spinners -n 2 -gc 5ms"), work: 1500 * time.Millisecond,
		beside: func(t *testing.T, p *testenv.Proc) {
			exe := fmt.Sprintf("/proc/%d/exe", p.PID)
			f := functions(t, exe, "asyncPreempt", "preemptPark", "goschedImpl", "stoplockedm", "execute")
			script = witness.StartScript(t, fmt.Sprintf(resumeScript, p.PID, other.PID, exe, f[0], f[1], f[2], f[3],
				f[4]), func() {},
				"ready rt_sigreturn", "ready asyncPreempt", "ready preemptPark", "ready goschedImpl",
				"ready stoplockedm", "ready execute")
			other.Stop()
		},
		after: func() { text = script.Stop() },
	}.run(t)
	c, parks, broken := costOf(t, &w.report, "P-6", "resume"), counter(text, "@parks"), w.report.Loss.BrokenLinks
	var ns []int64
	for line := range strings.Lines(text) {
		var took int64
		if _, err := fmt.Sscanf(line, "resume %d", &took); err == nil {
			ns = append(ns, took)
		}
	}
	t.Logf("%d samples, %d unfinished, %d broken links; bpftrace has %d, and the end of %d", c.N, c.Unfinished,
		broken, parks, len(ns))
	// All have ended, and of a wait whose end was not traced nothing is known.
	if n := uint64(c.N); n == 0 || n > parks || parks-n > broken || c.Unfinished > parks-n {
		return append(problems, "the numbers differ")
	}
	if len(ns) != int(parks) || c.N != int64(parks) {
		t.Log("ends are missing: no median") // see witness.Switches
		return nil
	}
	if !*judgeDurations {
		return nil
	}
	slices.Sort(ns)
	median := ns[(len(ns)+1)/2-1]
	t.Logf("the median is %d ns, bpftrace has %d", *c.P50, median)
	if abs(*c.P50-median) > max(2000, median/50) {
		problems = append(problems, "the medians differ")
	}
	return problems
}

func abs(v int64) int64 { return max(v, -v) }

// functions are the addresses of functions of the runtime in an executable that is not position
// independent.
func functions(t *testing.T, path string, names ...string) (addresses []uint64) {
	t.Helper()
	exe, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	symbols, err := exe.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		i := slices.IndexFunc(symbols, func(s elf.Symbol) bool {
			return strings.TrimSuffix(s.Name,
				".abi0") == "runtime."+name
		})
		if i < 0 {
			t.Fatalf("%s has no runtime.%s", path, name)
		}
		addresses = append(addresses, symbols[i].Value)
	}
	return addresses
}

// counter is the value of a map that a script counted in.
func counter(text, name string) (n uint64) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+": "); ok {
			_, _ = fmt.Sscan(rest, &n)
		}
	}
	return n
}

// costOf is the row over all samples of a phase.
func costOf(t *testing.T, r *report.Report, id, phase string) report.Cost {
	t.Helper()
	for _, c := range r.Costs {
		if c.ID == id && c.Phase == phase && c.Locked == "" && c.Cause == nil && c.State == nil {
			return c
		}
	}
	t.Fatalf("no row %s %s", id, phase)
	return report.Cost{}
}
