package verify

import (
	"bufio"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// specifiedMetric is the metric's name in the specification.
const specifiedMetric = "/sched/threads:threads"

// metricNames searches the release's list of metrics for the specified one.
func metricNames(r *run) error {
	var a trial.Counts
	if err := r.trial(&a, "counts", "-n", "1", "-settle", "0"); err != nil {
		return err
	}
	r.Source = "the names that runtime/metrics lists"
	r.add("metric_asked", 1)
	if slices.Contains(a.Names, specifiedMetric) {
		r.add("metric_specified", 1)
	}
	var like []string
	for _, name := range a.Names {
		if strings.HasPrefix(name, "/sched/") && strings.HasSuffix(name, ":threads") {
			like = append(like, name)
		}
	}
	if like == nil {
		like = []string{"none"}
	}
	r.Notes = append(r.Notes, "metrics of threads in "+a.GoVersion+": "+strings.Join(like, ", "))
	return nil
}

func counters(r *run) error {
	var a trial.Counts
	if err := r.trial(&a, "counts", "-n", "20", "-settle", "20ms"); err != nil {
		return err
	}
	r.count(&a)
	return nil
}

// count compares the metric with the kernel's threads at calm steps. A thread that is starting or
// ending is in one of the two only.
func (r *run) count(a *trial.Counts) {
	first, last := a.Steps[0], a.Steps[len(a.Steps)-1]
	r.add("pins_added", int64(last.Pins-first.Pins))
	r.add("goroutines_added", int64(last.Goroutines-first.Goroutines))
	var growth []float64
	for i, s := range a.Steps {
		if s.Metric == nil || !s.Calm {
			continue
		}
		r.add("metric_total", int64(*s.Metric))
		r.add("kernel_threads", int64(s.Tasks))
		if i > 0 && a.Steps[i-1].Calm {
			growth = append(growth, float64(*s.Metric)-float64(*a.Steps[i-1].Metric))
		}
	}
	r.Samples["metric_growth"] = contract.NewSample("threads", growth)
	if last.Metric == nil || !last.Calm {
		return
	}
	for _, m := range r.claimedMs { // at the last step
		if m.TID != 0 && (m.Role == goruntime.RoleSysmon || m.Role == goruntime.RoleTemplate) {
			r.add("service_threads", 1)
		}
	}
	r.add("outside_metric", int64(last.Tasks)-int64(*last.Metric))
}

// latency compares the mean waits to run, by the runtime's histogram, of rounds with all workers
// locked, with as many as there are Ps, and with none. Only more locked workers than Ps are too many.
// The waits of one round depend on each other, so a round is one value.
func latency(r *run) error {
	var a trial.Overpin
	if err := r.trial(&a, "overpin", "-rounds", "60", "-bursts", "15"); err != nil {
		return err
	}
	waits := map[string][]float64{}
	for _, round := range a.Rounds {
		r.add("asked", 1)
		if round.Latencies == nil {
			continue
		}
		r.add("answered", 1)
		kind := "wait_calm"
		switch {
		case round.Locked > a.GoMaxProcs:
			kind = "wait_overpinned"
		case round.Locked > 0:
			kind = "wait_pinned"
		}
		sum, n := 0.0, 0.0
		for _, b := range round.Latencies {
			sum, n = sum+middle(b)*float64(b.N), n+float64(b.N)
		}
		if n > 0 {
			waits[kind] = append(waits[kind], sum/n)
		}
	}
	for _, kind := range []string{"wait_overpinned", "wait_pinned", "wait_calm"} {
		r.sample(kind, waits[kind])
	}
	return nil
}

// middle is the geometric middle of a bucket in ns, or its finite end.
func middle(b trial.Bucket) float64 {
	const ns = 1e9
	switch {
	case b.From == nil && b.To == nil:
		return 0
	case b.From == nil, *b.From <= 0 && b.To != nil:
		return *b.To * ns / 2
	case b.To == nil:
		return *b.From * ns
	}
	return math.Sqrt(*b.From**b.To) * ns
}

func labels(r *run) error {
	var a trial.Labels
	if err := r.trial(&a, "labels", "-n", "12"); err != nil {
		return err
	}
	for i, w := range a.Workers {
		if !w.Locked {
			continue
		}
		r.add("labelled", 1)
		if strings.Contains(a.Text, strconv.Quote(a.Label)+":"+strconv.Quote(strconv.Itoa(i))) {
			r.add("labelled_found", 1)
		}
	}
	return nil
}

var schedLine = regexp.MustCompile(`^SCHED \d+ms:`)

func schedtrace(r *run) error {
	var a trial.SchedTrace
	if err := r.trial(&a, "schedtrace"); err != nil {
		return err
	}
	for i, run := range a.Runs { // without scheddetail, then with it
		for text := bufio.NewScanner(strings.NewReader(run.Text)); text.Scan(); {
			if line := text.Text(); i == 0 && schedLine.MatchString(line) {
				r.add("lines", 1)
				if strings.Contains(line, " threads=") && strings.Contains(line, " idleprocs=") {
					r.add("lines_with_fields", 1)
				}
			}
		}
		for _, pin := range run.Pins {
			if i == 1 {
				r.add("lockedg_pins", 1)
				if run.Found["lockedg="+strconv.FormatInt(pin.GoID, 10)] > 0 {
					r.add("lockedg_found", 1)
				}
			}
		}
	}
	return nil
}
