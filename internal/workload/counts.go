package workload

import (
	"flag"
	"runtime"
	"sync"
	"time"
)

// Counts is the account of the trial counts.
type Counts struct {
	Head
	Names []string    `json:"names"` // every metric of runtime/metrics; null = this release has no such package
	Steps []CountStep `json:"steps"` // the first has no locked goroutine
}

// CountStep is what the process tells of itself while goroutines wait, locked, on channels.
type CountStep struct {
	Pins       int      `json:"pins"`       // goroutines the trial has made and not ended, all locked
	Goroutines int      `json:"goroutines"` // runtime.NumGoroutine
	Profiled   int      `json:"profiled"`   // goroutines that are in runtime.GoroutineProfile; it does not see the runtime's own, nor does NumGoroutine
	Census              // threads
	Calm       bool     `json:"calm"`    // the other threads slept before and after the census and were the same: its sources tell of one moment
	Metrics    []Metric `json:"metrics"` // all whose name begins with /sched/, and those of metricsAsked
}

// Metric is a value of runtime/metrics.
type Metric struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"` // uint64, float64, histogram; unsupported: this release has no such metric
	Uint64  *uint64  `json:"uint64,omitempty"`
	Float64 *float64 `json:"float64,omitempty"`
}

// metricsAsked are names that are in books or in releases: an unknown one is not an error.
var metricsAsked = []string{"/sched/threads:threads", "/sched/threads/total:threads", "/sched/gomaxprocs:threads", "/sched/goroutines:goroutines"}

// A census is tried for half a second at least until it is calm: a thread that waits for a CPU on a busy machine has one long before.
const (
	calmTries = 250
	calmPause = 2 * time.Millisecond
)

// countsTrial compares the counters of threads and goroutines while there are ever more locked goroutines.
func countsTrial(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("n", 10, "steps, each with one locked goroutine more; 1 or more")
	settle := flags.Duration("settle", 10*time.Millisecond, "pause before each count")
	skip := flags.Bool("skip-lock", false, "leave out LockOSThread")
	stray := flags.Bool("stray", false, "make one more goroutine at each step, which the account leaves out")
	return func(Self) (Result, error) {
		if *n < 1 || *settle < 0 {
			return nil, Mistake("-n must be 1 or more and -settle not negative")
		}
		a := &Counts{}
		a.Names, _ = metricNames()
		asked := append([]string{}, metricsAsked...)
		for _, name := range a.Names {
			if len(name) > 7 && name[:7] == "/sched/" && !contains(asked, name) {
				asked = append(asked, name)
			}
		}
		release := make(chan struct{})
		var ended sync.WaitGroup
		defer ended.Wait()
		defer close(release)
		for pins := 0; pins <= *n; pins++ {
			if pins > 0 {
				waitLocked(&ended, release, *skip)
				if *stray {
					waitLocked(&ended, release, true)
				}
			}
			time.Sleep(*settle)
			step := CountStep{Pins: pins, Goroutines: runtime.NumGoroutine(), Metrics: readMetrics(asked)}
			step.Profiled, _ = runtime.GoroutineProfile(nil)
			var err error
			step.Calm, err = Bracketed(calmTries, calmPause, sleepers, func() (err error) {
				step.Census, _, err = census()
				return err
			})
			if err == nil && !step.Calm {
				step.Census, _, err = census()
			}
			if err != nil {
				return nil, err
			}
			a.Steps = append(a.Steps, step)
		}
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

// waitLocked makes a goroutine that locks itself and waits; it returns when it is locked.
func waitLocked(ended *sync.WaitGroup, release <-chan struct{}, skip bool) {
	locked := make(chan struct{})
	ended.Add(1)
	go func() {
		defer ended.Done()
		if !skip {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
		}
		close(locked)
		<-release
	}()
	<-locked
}
