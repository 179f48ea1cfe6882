package observe_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// usage is what this process holds.
type usage struct {
	heap       uint64
	files      int
	goroutines int
}

func use(t *testing.T) (u usage) {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Error(err)
	}
	return usage{m.HeapAlloc, len(files), runtime.NumGoroutine()}
}

// held starts a shell that executes a command once let go.
func held(t *testing.T, args ...string) (cmd *exec.Cmd, letGo func() error) {
	t.Helper()
	cmd = exec.Command("sh", append([]string{"-c", `read line; exec "$@"`, "sh"}, args...)...)
	cmd.Stdout = io.Discard
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the caller's script decides about its end
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	return cmd, func() error {
		_, err := io.WriteString(stdin, "go\n")
		return err
	}
}

// A thousand processes, fifty at a time, each have a window, and nothing grows with how many there were.
func TestManyProcessesLeaveNothing(t *testing.T) {
	testenv.NoKernelLeftovers(t)
	total := testenv.Cases([]int{1000}, []int{100})[0]
	cmd, letGo := held(t, testenv.TreeProgram(t), "fan", "-n", strconv.Itoa(total), "-at-once", "50",
		"--", "-threads", "2", "-live", "20ms")
	var early, late usage
	windows := 0
	cfg := observe.GroupConfig{PIDs: []int{cmd.Process.Pid}, Follow: true}
	cfg.OnBegin = letGo
	cfg.OnTarget = func(*observe.Window) error {
		switch windows++; windows {
		case total / 5:
			early = use(t)
		case total:
			late = use(t)
		}
		return nil
	}
	cfg.OnProblem = func(pid int, err error) { t.Errorf("process %d: %v", pid, err) }
	all, err := observe.RunGroup(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if windows != total+2 || all.NoRoom > 0 || all.Strays > 0 { // the shell, the fan and its children
		t.Errorf("%d windows of %d processes, %d had no room, %d strays", windows, total, all.NoRoom, all.Strays)
	}
	t.Logf("after a fifth %+v, at the end %+v", early, late)
	const atOnce = 50
	if grown := int64(late.heap) - int64(early.heap); grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if late.files > early.files+6*atOnce || late.goroutines > early.goroutines+4*atOnce {
		t.Errorf("files or goroutines have grown: %+v, after a fifth %+v", late, early)
	}
}

// A target that floods the buffers, which are emptied rarely, loses records of its own. The quiet one beside
// it has all that its account has.
func TestNoisyBesideQuiet(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	noisy := testenv.Workload(t, "pingpong", "-pairs", "4", "-hold")
	quiet := testenv.Workload(t, "churn", "-rate", "20", "-hold")
	windows := map[int]*observe.Window{}
	var endedLocked uint64 // by quiet's account
	cfg := observe.GroupConfig{PIDs: []int{noisy.PID, quiet.PID}}
	cfg.RingBytes = 1 << 20
	cfg.OnTarget = func(w *observe.Window) error {
		windows[w.Target.PID] = w
		return nil
	}
	cfg.OnBegin = func() error {
		noisy.Go()
		quiet.Go()
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rounds := 0
	cfg.OnProgress = func(elapsed time.Duration, _ uint64) {
		time.Sleep(200 * time.Millisecond) // the buffers fill
		if rounds++; rounds == 10 {
			endedLocked = quiet.Quiesce().LockedExits
			noisy.Quiesce()
			cancel()
		}
	}
	if _, err := observe.RunGroup(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	n, q := windows[noisy.PID], windows[quiet.PID]
	if n == nil || q == nil {
		t.Fatalf("%d windows", len(windows))
	}
	if n.Result.Loss.Total() == 0 || q.Result.Loss.Total() > 0 {
		t.Errorf("noisy lost %d, quiet %d: %v", n.Result.Loss.Total(), q.Result.Loss.Total(), q.Result.Loss)
	}
	exited := q.Result.Counts.ThreadsExitedLocked
	if exited == nil || *exited != endedLocked || endedLocked == 0 {
		t.Errorf("%v threads of quiet ended locked, by its account %d", exited, endedLocked)
	}
}

// Each kind of end of a process ends its window, and that of no other.
func TestKindsOfEnds(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.GoCommand, testenv.Shell)
	const script = `
"$0" leaf -live 50ms
"$0" chain leader thread -- -threads 1
"$0" leaf -live 20s & sleep 0.3; kill -KILL $!
"$0" leaf -live 20s & sleep 0.3; kill -ABRT $!
"$0" leaf -live 50ms
true`
	cmd, letGo := held(t, "sh", "-c", script, testenv.TreeProgram(t))
	executed, ended := 0, 0
	cfg := observe.GroupConfig{PIDs: []int{cmd.Process.Pid}, Follow: true}
	cfg.OnBegin = letGo
	cfg.OnTarget = func(w *observe.Window) error {
		r, name := w.Result, w.Target.Exe
		if name != "tree" {
			return nil
		}
		if err := correlate.Validate(r); err != nil || r.Loss.Total() > 0 {
			t.Errorf("process %d: %v, lost %v", w.Target.PID, err, r.Loss)
		}
		switch {
		case w.Target.Executes != nil && !w.Target.Ended:
			executed++
		case w.Target.Ended && r.Counts.Threads == 0:
			ended++
		default:
			t.Errorf("process %d: executes %v, ended %v, %d threads", w.Target.PID, w.Target.Executes, w.Target.Ended,
				r.Counts.Threads)
		}
		return nil
	}
	cfg.OnProblem = func(pid int, err error) { t.Errorf("process %d: %v", pid, err) }
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := observe.RunGroup(ctx, cfg); err != nil || ctx.Err() != nil {
		t.Fatal(err, ctx.Err())
	}
	if executed != 2 || ended != 5 {
		t.Errorf("%d programs ended by an exec, want 2; %d with their process, want 5", executed, ended)
	}
}

// A context that ends at any moment leaves windows that are complete up to then.
func TestGroupEndsAtAnyMoment(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	idle := testenv.Workload(t, "idle")
	for _, after := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond} {
		ctx, cancel := context.WithCancel(t.Context())
		windows := 0
		cfg := observe.GroupConfig{PIDs: []int{idle.PID}}
		cfg.OnBegin = func() error {
			time.AfterFunc(after, cancel)
			return nil
		}
		cfg.OnTarget = func(w *observe.Window) error {
			windows++
			if w.Target.Ended || w.Target.Info == nil || w.Result.Counts.Threads == 0 {
				t.Errorf("%v: %+v", after, w.Target)
			}
			return nil
		}
		if after == 0 {
			cancel() // before anything is attached
		}
		if _, err := observe.RunGroup(ctx, cfg); err != nil || windows != 1 {
			t.Errorf("%v: %d windows, %v", after, windows, err)
		}
		cancel()
	}
}
