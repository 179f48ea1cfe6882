package loader

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/pinwatch/pinwatch/events"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// TestStacksAreTheKernels compares the stacks that bpf/stack.h walks, at every switch-out of
// ten programs, with those of bpf_get_stack, frame by frame.
func TestStacksAreTheKernels(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	programs := []string{"churn", "storm", "pingpong -pairs 2", "perrequest", "spinners", "dance", "burst", "matrix",
		"threads"}
	least := 1000           // stacks of each program
	if testenv.Emulated() { // an emulator takes five seconds for each
		programs, least = programs[:3], 300
	}
	total := 0
	for _, program := range programs {
		args := strings.Fields(program)
		t.Run(args[0], func(t *testing.T) { total += compareStacks(t, testenv.Workload(t, args...).PID, least) })
	}
	if testenv.CCompiler.Missing() == nil {
		t.Run("cgo", func(t *testing.T) { total += compareStacks(t, testenv.CgoWorkload(t, "cgo").PID, least) })
	}
	t.Logf("%d stacks are equal", total)
}

// compareStacks compares at least so many stacks of a process and returns how many are equal.
func compareStacks(t *testing.T, pid, least int) (equal int) {
	t.Helper()
	target, err := OpenTarget(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	spec, err := loadReference()
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Variables["target_tgid"].Set(target.TGID); err != nil {
		t.Fatal(err)
	}
	var objs struct {
		Program *ebpf.Program `ebpf:"reference_stack"`
		Ring    *ebpf.Map     `ebpf:"reference_stack_ring"`
	}
	if err := spec.LoadAndAssign(&objs, nil); err != nil {
		t.Fatal(err)
	}
	defer objs.Program.Close()
	defer objs.Ring.Close()
	records, err := ringbuf.NewReader(objs.Ring)
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	attached, err := link.AttachTracing(link.TracingOptions{Program: objs.Program})
	if err != nil {
		t.Fatal(err)
	}
	defer attached.Close()
	records.SetDeadline(time.Now().Add(time.Minute))
	for equal < least {
		record, err := records.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%d stacks in a minute", equal)
		}
		if err != nil {
			t.Fatal(err)
		}
		s := *(*referenceReferenceStacks)(unsafe.Pointer(&record.RawSample[0]))
		walked, kernel := s.Walked.Pcs[:s.Walked.Depth], s.Before.Pcs[:s.Before.Depth]
		if !slices.Equal(kernel, s.After.Pcs[:s.After.Depth]) {
			continue // a new thread in runtime.clone has its parent's frame pointer, and the parent goes on
		}
		if !slices.Equal(walked, kernel) && !kernelEndsEarly(walked, kernel) && !leavesTheStack(t, pid, walked, kernel) {
			t.Fatalf("stack %d:\nwalked %s\nkernel %s", equal+1, addresses(walked), addresses(kernel))
		}
		equal++
	}
	return equal
}

// kernelEndsEarly reports whether the kernel has the first frames only. On arm64 it ends where a
// frame lies below the one before it (arch/arm64/kernel/perf_callchain.c), as a goroutine's stack
// lies below that of its signal handler.
func kernelEndsEarly(walked, kernel []uint64) bool {
	return runtime.GOARCH == "arm64" && len(kernel) < len(walked) && slices.Equal(kernel, walked[:len(kernel)])
}

// leavesTheStack reports whether the kernel only followed the chain further, to what is no code. It
// also reads frames at addresses that are not aligned, where a new thread has no frame of its own
// yet and its frame pointer is the rest of another's.
func leavesTheStack(t *testing.T, pid int, walked, kernel []uint64) bool {
	t.Helper()
	if len(walked) >= len(kernel) || !slices.Equal(walked, kernel[:len(walked)]) {
		return false
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		m, ok := procfs.ParseMapping(strings.TrimSpace(line))
		if pc := kernel[len(walked)]; ok && m.IsFile() && m.Has("x") && pc >= m.Start && pc < m.End {
			return false
		}
	}
	return true
}

func addresses(pcs []uint64) string {
	text := fmt.Sprint(len(pcs), ":")
	for _, pc := range pcs {
		text += fmt.Sprintf(" %#x", pc)
	}
	return text
}

// TestNoHookFaults requires that no hook takes a page fault on the target's threads where a chain
// of frame pointers ends, at address 0, by the kernel's own account.
func TestNoHookFaults(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Tracefs)
	const fault = "exceptions/page_fault_kernel"
	if !witness.HasEvent(t, fault) {
		testenv.NotJudged(t, "this architecture has no events of page faults")
		return
	}
	for _, name := range testenv.Cases([]string{"storm", "churn"}, []string{"storm"}) {
		t.Run(name, func(t *testing.T) {
			p := testenv.Workload(t, name)
			trace := witness.StartTrace(t, []string{fault})
			s := attachTo(t, p.PID, Config{})
			stacks, threads := 0, map[uint32]bool{}
			for stacks < 20 {
				time.Sleep(50 * time.Millisecond)
				for _, e := range drain(t, s) {
					threads[e.TID] = true
					if e.Kind == events.CloneEnter || e.Kind == events.ExitEnter || e.Kind == events.TgkillEnter {
						stacks++
					}
				}
			}
			for _, e := range trace.Stop() {
				if at, ok := e.Int("address"); ok && uint64(at) < uint64(os.Getpagesize()) && threads[uint32(e.TID)] {
					t.Fatalf("thread %d took a page fault: %v", e.TID, e.Args)
				}
			}
		})
	}
}
