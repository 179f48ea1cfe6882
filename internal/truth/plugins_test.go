package truth

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// pluginHost is testdata/plugin/host with its plugin, which it has not loaded yet.
type pluginHost struct {
	t   *testing.T
	pid int
	in  io.Writer
	out *bufio.Reader
}

// answer is what the host prints about one line of its input.
type answer struct {
	TIDs     []int
	Function string
}

func startPluginHost(t *testing.T, ldflags string) *pluginHost {
	t.Helper()
	testenv.Require(t, testenv.BPF, testenv.GoCommand, testenv.CCompiler)
	plug := buildWithC(t, "testdata/plugin/plug", "-buildmode=plugin", "-ldflags="+ldflags)
	cmd := exec.Command(buildWithC(t, "testdata/plugin/host", "-ldflags="+ldflags), plug)
	h := &pluginHost{t: t}
	h.in, h.out = testenv.StartPiped(t, cmd)
	h.pid = cmd.Process.Pid
	return h
}

// buildWithC builds a program in a folder of testdata.
func buildWithC(t *testing.T, dir string, flags ...string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), filepath.Base(dir))
	build := exec.Command("go", append(append([]string{"build", "-o", program}, flags...), ".")...)
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func (h *pluginHost) do(line string) (a answer) {
	h.t.Helper()
	if _, err := io.WriteString(h.in, line+"\n"); err != nil {
		h.t.Fatal(err)
	}
	reply, err := h.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(reply, &a)
	}
	if err != nil {
		h.t.Fatalf("%s: %v", line, err)
	}
	return a
}

// churned is how many threads the line "churn" ends.
const churned = 25

// TestPlugin: what a plugin locks, ends and calls has the names that the plugin itself reads from its
// runtime, also without symbols.
func TestPlugin(t *testing.T) {
	for name, ldflags := range map[string]string{"plain": "", "stripped": "-s -w"} {
		t.Run(name, func(t *testing.T) {
			untilWithout(t, "records were lost, every time", func() []string {
				h := startPluginHost(t, ldflags)
				h.do("load")
				observed := observeProcess(t, h.pid, observe.Config{Sites: true})
				pin, churn := h.do("pin"), h.do("churn")
				r := observed.end()
				if problems := lossProblems(r.Loss); problems != nil {
					return problems
				}
				checkPlugin(t, &r, pin, churn)
				if warnings := strings.Join(r.Warnings, "; "); strings.Contains(warnings, "plugin") {
					t.Errorf("warnings: %s", warnings)
				}
				return nil
			})
		})
	}
}

// TestPluginLoadedLater: a plugin that is loaded in the window is followed from then on.
func TestPluginLoadedLater(t *testing.T) {
	untilWithout(t, "records were lost, every time", func() []string {
		h := startPluginHost(t, "")
		polled := make(chan struct{})
		observed := observeProcess(t, h.pid, observe.Config{Sites: true, OnProgress: func(time.Duration, uint64) {
			select {
			case polled <- struct{}{}:
			default:
			}
		}})
		h.do("load")
		for range 2 { // the first poll may have begun before
			<-polled
		}
		pin, churn := h.do("pin"), h.do("churn")
		r := observed.end()
		if problems := lossProblems(r.Loss); problems != nil {
			return problems
		}
		checkPlugin(t, &r, pin, churn)
		if warnings := strings.Join(r.Warnings, "; "); !strings.Contains(warnings, "the plugin plug was loaded while") {
			t.Errorf("warnings: %s", warnings)
		}
		return nil
	})
}

func checkPlugin(t *testing.T, r *report.Report, pin, churn answer) {
	t.Helper()
	if want := []string{"plug"}; !slices.Equal(r.Target.Plugins, want) || len(r.Target.OtherRuntimes) != 0 {
		t.Errorf("plugins %q, other runtimes %q, want %q and none", r.Target.Plugins, r.Target.OtherRuntimes, want)
	}
	threads := alive(r)
	for _, tid := range pin.TIDs {
		if th := threads[tid]; th.Lock != "user" || !is(th.LockEntry, pin.Function) {
			t.Errorf("%s, want a lock of %s", threadRow(th), pin.Function)
		}
	}
	if !is(r.Counts.ThreadsExitedLocked, churned) {
		t.Errorf("%s threads exited locked, want %d", word(r.Counts.ThreadsExitedLocked), churned)
	}
	calls, exits := map[string]uint64{}, map[string]uint64{}
	for _, s := range r.Sites {
		calls[s.Function] += s.Calls
	}
	for _, c := range r.Causes {
		if c.What == "exit" && c.Cause == "locked" {
			exits[word(c.Function)] += c.N
		}
	}
	if calls[pin.Function] != uint64(len(pin.TIDs)) || calls[churn.Function] != churned || len(calls) != 2 {
		t.Errorf("calls of LockOSThread %v, want %d by %s and %d by %s",
			calls, len(pin.TIDs), pin.Function, churned, churn.Function)
	}
	if exits[churn.Function] != churned || len(exits) != 1 {
		t.Errorf("locked exits %v, want %d of %s", exits, churned, churn.Function)
	}
}

// TestTwoRuntimes: of a Go program that has loaded a Go library with a runtime of its own, one runtime
// is observed and the other named. Of the library's threads nothing is said.
func TestTwoRuntimes(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.GoCommand, testenv.CCompiler)
	lib := buildWithC(t, "testdata/tworuntimes/lib", "-buildmode=c-shared")
	for _, later := range []bool{false, true} {
		cmd := exec.Command(buildWithC(t, "testdata/tworuntimes/host"), lib)
		in, out := testenv.StartPiped(t, cmd)
		var account struct {
			Locked int
			TIDs   []int
		}
		read := func() {
			line, err := out.ReadBytes('\n')
			if err == nil {
				err = json.Unmarshal(line, &account)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		load := func() {
			if _, err := io.WriteString(in, "load\n"); err != nil {
				t.Fatal(err)
			}
			read()
		}
		read()
		if !later {
			load()
		}
		observed := observeProcess(t, cmd.Process.Pid, observe.Config{})
		if later {
			load()
		}
		r := observed.end()
		if want := []string{"lib"}; !slices.Equal(r.Target.OtherRuntimes, want) {
			t.Errorf("other runtimes %q, want %q", r.Target.OtherRuntimes, want)
		}
		const sentence = "2 Go runtimes, and only that of host is observed: goroutines, locks and functions of lib are not " +
			"seen"
		if warnings := strings.Join(r.Warnings, "; "); !strings.Contains(warnings, sentence) {
			t.Errorf("warnings: %s", warnings)
		}
		threads := alive(&r)
		if th := threads[account.Locked]; th.Lock != "user" || !is(r.Counts.LockedThreads, 1) {
			t.Errorf("%s of the program, %s threads locked, want 1", threadRow(th), word(r.Counts.LockedThreads))
		}
		for _, tid := range account.TIDs {
			if th := threads[tid]; th.Role != "unknown" || th.Lock != "unknown" {
				t.Errorf("of the library: %s", threadRow(th))
			}
		}
	}
}
