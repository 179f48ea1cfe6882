package trial

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/probe"
)

// Labels is the account of the trial labels.
type Labels struct {
	Head
	Label   string     `json:"label"`   // key of the label; each worker's value is its number
	Workers []Labelled `json:"workers"` // in the order of their numbers
	Text    string     `json:"text"`    // the goroutine profile while all of them waited, with debug=1
	Profile []byte     `json:"profile"` // the same for pprof: a gzipped protocol buffer
}

// Labelled is a goroutine that has set its label, unless a flag leaves that out.
type Labelled struct {
	GoID   int64 `json:"goid"`
	TID    int   `json:"tid"`
	Locked bool  `json:"locked"` // every other one is
}

// workerLabel is in no other goroutine's labels.
const workerLabel = "pinwatch-worker"

// labels has goroutines label themselves, locked and not, and takes their profile.
func labels(flags *flag.FlagSet) func(Self) (Result, error) {
	n := flags.Int("n", 6, "workers, 1 or more")
	lock := probe.LockFlags(flags)
	skip := flags.Bool("skip-labels", false, "leave out pprof.SetGoroutineLabels")
	return func(self Self) (Result, error) {
		if *n < 1 {
			return nil, workload.Mistake("-n must be 1 or more")
		}
		a := &Labels{Label: workerLabel, Workers: make([]Labelled, *n)}
		release := make(chan struct{})
		var ready, ended sync.WaitGroup
		defer ended.Wait()
		defer close(release)
		ready.Add(*n)
		ended.Add(*n)
		for i := range a.Workers {
			go func(i int) {
				defer ended.Done()
				w := &a.Workers[i]
				if w.Locked = i%2 == 0; w.Locked && lock.Next() {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
				}
				w.GoID, w.TID = probe.GoID(), syscall.Gettid()
				if !*skip {
					set := pprof.Labels(workerLabel, strconv.Itoa(i))
					pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), set))
				}
				ready.Done()
				<-release
			}(i)
		}
		ready.Wait()
		var locks []workload.Claim
		for _, w := range a.Workers {
			if w.Locked {
				locks = append(locks, workload.Claim{TID: w.TID, GoID: w.GoID, Depth: 1})
			}
		}
		self.Claim(locks...)
		time.Sleep(5 * time.Millisecond) // for the last to wait; if it does not, the profile has it all the same
		var text, profile bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
			return nil, fmt.Errorf("take the goroutine profile: %v", err)
		}
		if err := pprof.Lookup("goroutine").WriteTo(&profile, 0); err != nil {
			return nil, fmt.Errorf("take the goroutine profile: %v", err)
		}
		a.Text, a.Profile = text.String(), profile.Bytes()
		return a, nil
	}
}
