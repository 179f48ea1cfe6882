package trial

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// SchedTrace is the account of the trial schedtrace.
type SchedTrace struct {
	Head
	Runs []SchedTraceRun `json:"runs"` // without scheddetail, then with it
}

// SchedTraceRun is a process that the runtime traced while goroutines were locked.
type SchedTraceRun struct {
	Head
	Every int         `json:"every_ms"`
	Pins  []SchedPin  `json:"pins"` // locked from From to To, and waiting all that time
	From  int64       `json:"from_ns"`
	To    int64       `json:"to_ns"`
	Steps []SchedStep `json:"steps"` // counts of /proc between From and To
	Text  string      `json:"text"`  // the complete lines that the runtime printed, the first 256 KiB
	// Found is how often Text has SCHED, threads=, idleprocs=, lockedg=, and lockedg=N for each
	// pin.
	Found map[string]int `json:"found"`
}

// SchedPin is a goroutine that is locked, before any flag that leaves calls out.
type SchedPin struct {
	GoID int64 `json:"goid"`
	TID  int   `json:"tid"`
}

// SchedStep is the number of threads in /proc at a moment.
type SchedStep struct {
	At    int64 `json:"at_ns"`
	Tasks int   `json:"tasks"`
}

const maxText = 256 << 10

// schedtrace starts processes in which GODEBUG has the runtime print its scheduler's state.
func schedtrace(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("n", 3, "locked goroutines, 1 or more")
	every := flags.Int("every", 20, "milliseconds between two lines of the runtime's, 1 or more")
	length := flags.Duration("length", 300*time.Millisecond, "how long the goroutines are locked, more than 0")
	lock := probe.LockFlags(flags)
	off := flags.Bool("no-trace", false, "do not ask for the trace")
	child := flags.Bool("in-child", false, "be one of these processes")
	return func(self Self) (Result, error) {
		if *n < 1 || *every < 1 || *length <= 0 {
			return nil, workload.Mistake("-n, -every and -length must be more than 0")
		}
		if *child {
			return traced(*n, *every, *length, lock)
		}
		a := &SchedTrace{}
		for _, detail := range []string{"", ",scheddetail=1"} {
			env := "GODEBUG=schedtrace=" + strconv.Itoa(*every) + detail
			if *off {
				env = "GODEBUG="
			}
			r, err := runTraced(self, env, "-n", strconv.Itoa(*n), "-every", strconv.Itoa(*every),
				"-length", length.String(), lock.Args()[0], lock.Args()[1])
			if err != nil {
				return nil, err
			}
			a.Runs = append(a.Runs, r)
		}
		return a, nil
	}
}

func runTraced(self Self, env string, flags ...string) (SchedTraceRun, error) {
	var r SchedTraceRun
	cmd, err := self.command(append([]string{"schedtrace", "-in-child"}, flags...)...)
	if err != nil {
		return r, err
	}
	var text bytes.Buffer
	cmd.Stderr = &text
	cmd.Env = append(os.Environ(), env)
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("run a traced process: %v", err)
	}
	if err := decodeLast(out, &r); err != nil {
		return r, err
	}
	r.Text = completeLines(text.String())
	r.Found = map[string]int{}
	for _, word := range []string{"SCHED", "threads=", "idleprocs=", "lockedg="} {
		r.Found[word] = len(regexp.MustCompile(`\b`+word).FindAllString(r.Text, -1))
	}
	for _, pin := range r.Pins {
		word := "lockedg=" + strconv.FormatInt(pin.GoID, 10)
		r.Found[word] = len(regexp.MustCompile(`\b`+word+`\b`).FindAllString(r.Text, -1))
	}
	return r, nil
}

// completeLines is the beginning of a text up to its last line break, at most maxText of it. The
// process may end while the runtime prints a line: it prints a line piece by piece.
func completeLines(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	return text[:strings.LastIndexByte(text, '\n')+1]
}

// traced runs in such a process.
func traced(n, every int, length time.Duration, lock *probe.Locks) (Result, error) {
	r := &SchedTraceRun{Every: every, Pins: make([]SchedPin, n)}
	release := make(chan struct{})
	var ready, ended sync.WaitGroup
	defer ended.Wait()
	defer close(release)
	ready.Add(n)
	ended.Add(n)
	for i := range r.Pins {
		go func(i int) {
			defer ended.Done()
			if lock.Next() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
			}
			r.Pins[i] = SchedPin{GoID: probe.GoID(), TID: syscall.Gettid()}
			ready.Done()
			<-release
		}(i)
	}
	ready.Wait()
	r.From = probe.Now()
	for end := r.From + int64(length); probe.Now() < end; time.Sleep(length / 10) {
		tids, err := probe.TaskIDs()
		if err != nil {
			return nil, err
		}
		r.Steps = append(r.Steps, SchedStep{At: probe.Now(), Tasks: len(tids)})
	}
	r.To = probe.Now()
	return r, nil
}
