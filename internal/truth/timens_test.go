package truth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/observe/windowreport"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/testenv"
)

// asObserver makes the test binary observe a process until the end of its input. It prints a line
// when the window has begun, and the report. Its value is an elsewhere in JSON.
const asObserver = "PINWATCH_TEST_AS_OBSERVER"

// elsewhere is the part of an observe.Config that another process gets.
type elsewhere struct {
	PID       int
	Interval  time.Duration
	Aggregate bool
}

func observeElsewhere() {
	var e elsewhere
	err := json.Unmarshal([]byte(os.Getenv(asObserver)), &e)
	if err != nil {
		panic(err)
	}
	cfg := observe.Config{PID: e.PID, Interval: e.Interval, Aggregate: e.Aggregate,
		OnBegin: func() error { fmt.Println("begun"); return nil }}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
	whole, err := observe.Run(ctx, cfg)
	if err == nil {
		err = report.WriteJSON(os.Stdout, windowreport.New("test", whole))
	}
	if err != nil {
		panic(err)
	}
	os.Exit(0)
}

// clockOffset is how many seconds CLOCK_MONOTONIC of a time namespace is ahead of the machine's. It
// can't be below 0 there.
func clockOffset(clock string) int64 {
	if clock == "behind" {
		return -(testenv.Now() / 2e9)
	}
	return 3600
}

// TestTimeNamespace: the counts are the workload's, and nothing is late, where pinwatch or the
// target runs in a time namespace of its own.
func TestTimeNamespace(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.TimeNamespace)
	aggregating := elsewhere{Aggregate: true}
	configs := testenv.Cases([]elsewhere{{Interval: 100 * time.Millisecond}, aggregating}, []elsewhere{aggregating})
	for _, clock := range testenv.Cases([]string{"ahead", "behind"}, []string{"behind"}) {
		seconds := clockOffset(clock)
		for _, e := range configs {
			t.Run(fmt.Sprintf("pinwatch %s, aggregate=%t", clock, e.Aggregate), func(t *testing.T) {
				observeFrom(t, seconds, e)
			})
		}
		if testenv.Emulated() { // one case takes every path
			continue
		}
		t.Run("target "+clock, func(t *testing.T) {
			inside := func(t testing.TB, args ...string) *testenv.Proc {
				return testenv.WorkloadInTimeNamespace(t, seconds, args...)
			}
			w := watch{workload: []string{"demo"}, start: inside, work: 300 * time.Millisecond}.run(t)
			w.account.Start -= seconds * 1e9
			w.account.End -= seconds * 1e9
			for _, problem := range (&witnessed{account: w.account, report: w.report}).checkAccount() {
				t.Error(problem)
			}
		})
	}
}

// observeFrom observes a workload from within a time namespace.
func observeFrom(t *testing.T, seconds int64, e elsewhere) {
	t.Helper()
	untilWithout(t, "records were lost, every time", func() []string {
		p := testenv.Workload(t, "demo", "-hold")
		e.PID = p.PID
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		command, env := testenv.InTimeNamespace(seconds, "/proc/self/exe")
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = append(os.Environ(), append(env, asObserver+"="+string(text))...)
		cmd.Stderr = os.Stderr
		stdin, out := testenv.StartPiped(t, cmd)
		if _, err := out.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		p.Go()
		time.Sleep(300 * time.Millisecond)
		account := p.Quiesce()
		p.Quiet()
		if err := stdin.(io.Closer).Close(); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		r := parseReport(t, answer)
		p.Stop()
		if problems := countProblems(&r); problems != nil {
			return problems
		}
		return (&witnessed{account: account, report: r}).checkAccount()
	})
}
