package loader

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// switchSteps are enum switch_step (bpf/sched.bpf.h) by the names of their metrics.
var switchSteps = []struct{ name, last string }{
	{"filter", "STEP_FILTER"}, {"slot", "STEP_SLOT"}, {"clock", "STEP_CLOCK"}, {"thread", "STEP_THREAD"},
	{"lock", "STEP_LOCK"}, {"split", "STEP_SPLIT"}, {"send", "STEP_SEND"},
}

// BenchmarkSteps cuts the program of a switch off after each of its steps, over a locked ping-pong,
// in turns: medians of rounds. Foreign is the whole program for switches of another process. It
// compiles the programs, which takes clang-19 as make generate does.
func BenchmarkSteps(b *testing.B) {
	testenv.Require(b, testenv.BPF, testenv.BPFAdmin)
	p, idle := testenv.Workload(b, "pingpong", "-pairs", "2"), testenv.Workload(b, "idle")
	rt, err := goruntime.Open(p.PID, goruntime.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer rt.Close()
	cfg := Config{Runtime: RuntimeOf(&rt.Info)}
	programs := map[string]string{}
	for _, s := range switchSteps {
		programs[s.name] = compileStep(b, s.last)
	}
	enableStats(b)
	times := map[string][]float64{}
	for range referenceRounds {
		times["empty"] = append(times["empty"], emptyTurn(b))
		for _, s := range switchSteps {
			times[s.name] = append(times[s.name], stepTurn(b, p.PID, cfg, programs[s.name]))
		}
		times["foreign"] = append(times["foreign"], oursTurn(b, idle.PID, cfg))
	}
	b.ReportMetric(0, "ns/op")
	for name, v := range times {
		b.ReportMetric(median(v), "ns/"+name)
	}
}

// clangArch names the architecture as bpf2go does.
var clangArch = map[string]string{"amd64": "x86", "arm64": "arm64"}

// compileStep compiles the kernel side so that a switch's program ends after a step.
func compileStep(b *testing.B, last string) (object string) {
	b.Helper()
	object = filepath.Join(b.TempDir(), last+".o")
	cmd := exec.Command("clang-19", "-target", "bpfel", "-D__TARGET_ARCH_"+clangArch[runtime.GOARCH],
		"-DLAST_STEP="+last, "-O2", "-g", "-mcpu=v3", "-std=gnu11", "-c", "../bpf/pinwatch.bpf.c", "-o", object)
	if text, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("clang-19: %v\n%s", err, text)
	}
	return object
}

// stepTurn is oursTurn with other programs.
func stepTurn(b *testing.B, pid int, cfg Config, object string) float64 {
	target, err := OpenTarget(pid)
	if err == nil {
		target.spec, err = ebpf.LoadCollectionSpec(object)
	}
	if err != nil {
		b.Fatal(err)
	}
	s, err := Attach(target, cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	return turnOf(b, s.loaded.Programs["pw_switch"])
}
