package trial

import (
	"flag"
	"runtime"
	"strconv"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// OnMain is the account of the trial onmain: a process for each place where the main goroutine may
// lock itself.
type OnMain struct {
	Head
	Runs []MainRun `json:"runs"`
}

// MainRun is a process whose main goroutine had stretches before main began, in main and after an
// UnlockOSThread in main.
type MainRun struct {
	Head
	Where    string        `json:"where"` // the main goroutine locked itself: init, main, nowhere
	MainGoID int64         `json:"main_goid"`
	Init     probe.Stretch `json:"init"` // after an unlock; the runtime holds the thread
	Main     probe.Stretch `json:"main"`
	After    probe.Stretch `json:"after"`
}

// onmain starts a process for each place to lock the main goroutine in.
func onmain(flags *flag.FlagSet) func(Self) (Result, error) {
	where := flags.String("in-child", "", "be one of these processes: init, main, nowhere")
	samples := flags.Int("samples", 1500, "samples in a stretch, 1 or more")
	skipLock := flags.Bool("skip-lock", false, "leave out LockOSThread")
	skipUnlock := flags.Bool("skip-unlock", false, "leave out UnlockOSThread")
	return func(self Self) (Result, error) {
		if *samples < 1 {
			return nil, workload.Mistake("-samples must be 1 or more")
		}
		if *where != "" {
			return mainRun(*where, *samples, *where == "main" && !*skipLock, *skipUnlock)
		}
		a := &OnMain{}
		for _, where := range []string{"init", "main", "nowhere"} {
			what := "watch"
			if where == "init" && !*skipLock {
				what = "lock"
			}
			var r MainRun
			env := []string{workload.InitVariable + "=" + what, initSamples + "=" + strconv.Itoa(*samples)}
			if err := self.child(env, &r, "onmain", "-in-child", where, "-samples", strconv.Itoa(*samples),
				"-skip-lock="+strconv.FormatBool(*skipLock), "-skip-unlock="+strconv.FormatBool(*skipUnlock)); err != nil {
				return nil, err
			}
			a.Runs = append(a.Runs, r)
		}
		return a, nil
	}
}

func mainRun(where string, samples int, lock, skipUnlock bool) (Result, error) {
	if initStretch == nil {
		return nil, workload.Mistake("-in-child is for processes that this trial starts")
	}
	r := &MainRun{Where: where, MainGoID: probe.GoID(), Init: *initStretch}
	if lock {
		runtime.LockOSThread()
	}
	locks := 0
	if where != "nowhere" {
		locks = 1
	}
	o := probe.StartOthers(4)
	defer o.Stop()
	r.Main = o.Stretch(0, locks, samples)
	if !skipUnlock {
		runtime.UnlockOSThread()
	}
	r.After = o.Stretch(0, 0, samples)
	return r, nil
}
