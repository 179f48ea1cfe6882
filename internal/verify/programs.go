package verify

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/observe"
)

// pair is a program that breaks a line of the checklists, and one that keeps it.
type pair struct {
	finding   string        // and after a slash, which breach, where it is asked about several
	bad, good string        // workloads
	window    time.Duration // that the finding needs
}

// A finding about what does not happen takes ten seconds. Those programs are observed all at one
// time, while the others are observed one after the other.
var pairs = []pair{
	{"leaked-pin", "leak", "leak -served", 10500 * time.Millisecond},
	{"thread-surplus", "surplus", "surplus -n 0", 10500 * time.Millisecond},
	{"exit-while-locked-churn", "churn", "churn -rate 1", 1500 * time.Millisecond},
	{"per-request-pinning", "perrequest", "perrequest -pool 4", 2500 * time.Millisecond},
	{"thread-differs/setup", "alter -early", "alter -keep", 500 * time.Millisecond},
	{"thread-differs/cleanup", "alter", "alter -restore", 500 * time.Millisecond},
	{"unbalanced-lock", "panics", "panics -deferred", 500 * time.Millisecond},
}

// patientWindow is the shortest window of programs that are observed side by side.
const patientWindow = 10 * time.Second

func programs(r *run) error {
	if r.lab.Unobserved != "" {
		return unableError(r.lab.Unobserved)
	}
	r.Source = "the findings of the report on each program"
	type outcome struct {
		pair
		good  bool
		found bool
		loss  bool
		err   error
	}
	var mu sync.Mutex // guards outcomes
	var outcomes []outcome
	try := func(p pair, good bool) {
		o := outcome{pair: p, good: good}
		args := p.bad
		if good {
			args = p.good
		}
		var w *observe.Window
		if w, o.err = r.lab.resting(r, p.window, strings.Fields(args)...); o.err == nil {
			o.loss = contract.Lossy(w.Result.Loss)
			found, _ := w.Findings()
			id, _, _ := strings.Cut(p.finding, "/")
			o.found = slices.ContainsFunc(found, func(f findings.Finding) bool { return f.ID == id })
		}
		mu.Lock()
		defer mu.Unlock()
		outcomes = append(outcomes, o)
	}
	var patient sync.WaitGroup
	for _, p := range pairs {
		if p.window >= patientWindow {
			patient.Go(func() { try(p, false) })
			patient.Go(func() { try(p, true) })
		}
	}
	for _, p := range pairs {
		if p.window < patientWindow {
			try(p, false)
			try(p, true)
		}
	}
	patient.Wait()
	for _, o := range outcomes {
		if o.err != nil {
			return o.err
		}
		r.Lossy = r.Lossy || o.loss
		kind := "_bad"
		if o.good {
			kind = "_good"
		}
		r.add(o.finding+kind, 1)
		if o.found {
			r.add(o.finding+kind+"_reported", 1)
		}
	}
	for _, p := range pairs {
		r.Workloads = append(r.Workloads, p.bad, p.good)
	}
	return nil
}

// calming is how long a workload has to come to rest, or to its steady state, before it is
// observed.
const calming = 300 * time.Millisecond

// resting observes a workload for a while after it has begun its activity.
func (l *Lab) resting(ctx context.Context, window time.Duration, args ...string) (*observe.Window, error) {
	r := &run{Context: ctx, lab: l} // for its processes only
	p, err := r.start(args...)
	if err != nil {
		return nil, err
	}
	pause(ctx, calming)
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := observe.Run(watching, observe.Config{PID: p.PID, OnBegin: func() error {
		time.AfterFunc(window, cancel)
		return nil
	}})
	if err != nil {
		p.Kill()
		return nil, err
	}
	return w, p.End()
}
