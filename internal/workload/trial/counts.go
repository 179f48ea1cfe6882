package trial

import (
	"flag"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Counts is the account of the trial counts.
type Counts struct {
	Head
	Names []string    `json:"names"` // every metric of runtime/metrics; null = this release has no such package
	Steps []CountStep `json:"steps"` // the first has no locked goroutine
}

// CountStep holds the counts of the process while goroutines wait, locked, on channels.
type CountStep struct {
	Pins       int `json:"pins"`       // goroutines that the trial has made and not ended, all locked
	Goroutines int `json:"goroutines"` // runtime.NumGoroutine
	// Profiled is the length of runtime.GoroutineProfile. It leaves out the runtime's goroutines,
	// as NumGoroutine does.
	Profiled     int `json:"profiled"`
	probe.Census     // threads
	// Calm means that the other threads slept before and after the census and were the same. So the
	// census is of one moment.
	Calm    bool           `json:"calm"`
	Metrics []probe.Metric `json:"metrics"` // all whose name begins with /sched/, and those of metricsAsked
}

// metricsAsked are names from books or releases. An unknown one is not an error.
var metricsAsked = []string{
	"/sched/threads:threads", "/sched/threads/total:threads", "/sched/gomaxprocs:threads", "/sched/goroutines:goroutines",
}

// A census is tried for half a second at least until it is calm: on a busy machine a thread waits
// long for a CPU.
const (
	calmTries = 250
	calmPause = 2 * time.Millisecond
)

// countsTrial compares the counters of threads and goroutines while there are ever more locked
// goroutines.
func countsTrial(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("n", 10, "steps, each with one locked goroutine more; 1 or more")
	settle := flags.Duration("settle", 10*time.Millisecond, "pause before each count")
	lock := probe.LockFlags(flags)
	stray := flags.Bool("stray", false, "make one more goroutine at each step, which the account leaves out")
	return func(self Self) (Result, error) {
		if *n < 1 || *settle < 0 {
			return nil, workload.Mistake("-n must be 1 or more and -settle not negative")
		}
		a := &Counts{}
		a.Names, _ = probe.MetricNames()
		asked := append([]string{}, metricsAsked...)
		for _, name := range a.Names {
			if strings.HasPrefix(name, "/sched/") && !contains(asked, name) {
				asked = append(asked, name)
			}
		}
		release := make(chan struct{})
		var ended sync.WaitGroup
		defer ended.Wait()
		defer close(release)
		var locks []workload.Claim
		for pins := 0; pins <= *n; pins++ {
			if pins > 0 {
				locks = append(locks, waitLocked(&ended, release, lock.Next()))
				if *stray {
					waitLocked(&ended, release, false)
				}
			}
			time.Sleep(*settle)
			step := CountStep{Pins: pins, Goroutines: runtime.NumGoroutine(), Metrics: probe.ReadMetrics(asked)}
			step.Profiled, _ = runtime.GoroutineProfile(nil)
			var err error
			step.Calm, err = probe.Bracketed(calmTries, calmPause, probe.Sleepers, func() (err error) {
				step.Census, _, err = probe.TakeCensus()
				return err
			})
			if err == nil && !step.Calm {
				step.Census, _, err = probe.TakeCensus()
			}
			if err != nil {
				return nil, err
			}
			a.Steps = append(a.Steps, step)
		}
		self.Claim(locks...)
		return a, nil
	}
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// waitLocked makes a goroutine that locks itself, unless that is left out, and waits. It returns when
// the goroutine is locked.
func waitLocked(ended *sync.WaitGroup, release <-chan struct{}, lock bool) workload.Claim {
	locked := make(chan workload.Claim)
	ended.Add(1)
	go func() {
		defer ended.Done()
		if lock {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
		}
		locked <- Hold(1)
		<-release
	}()
	return <-locked
}
