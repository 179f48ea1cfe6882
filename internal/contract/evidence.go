package contract

import (
	"slices"
	"strings"
)

// Evidence is the only input of a verdict: one record for each experiment. It is plain data.
type Evidence struct {
	GoVersion   string // that built the workloads: go1.26.8
	Arch        string // of the machine: amd64
	Emulated    bool   // the CPUs are emulated: durations prove nothing
	Experiments map[string]*Record
}

// Record holds the results of one experiment.
type Record struct {
	Unable string // why it cannot be done here; "" = it can
	Failed string // the error that ended it; "" = none
	// Unheld: Failed is that the runtime's memory lacks locks that the workload claims. The numbers
	// are whole, but not about what they are meant for.
	Unheld bool
	Lossy  bool // kernel records were lost: something that was not seen may have happened
	// Noise is the mean number of CPUs that other load kept busy: neither the workload nor
	// pinwatch. It makes times longer.
	Noise     float64
	Workloads []string // command lines, as the workload command takes them
	Source    string   // where the numbers are from: the workload's account, kernel events, the runtime's memory
	Counts    map[string]int64
	Samples   map[string]Sample
	Outcomes  map[string]map[string]int64 // of equal runs: by name, how often each outcome occurred
	Notes     []string                    // warnings for every verdict that uses this record
}

// Sample is a distribution: all its values, or of very many a selection at even ranks.
type Sample struct {
	Unit   string // ns, ratio
	N      int64  // how many were measured
	Values []float64
	// Medians are those of the processes, or runs, of the values; nil = one. Processes differ by
	// more than the values of each.
	Medians []float64
	// Bias is the mean part of a value that is pinwatch's overhead, in the sample's unit; 0 where
	// there is none.
	Bias float64
}

// keptValues limits the values of a sample. The interval of a median over 1,000 values is within 3
// % of the ranks.
const keptValues = 1000

// NewSample keeps as many of the values as a verdict needs.
func NewSample(unit string, values []float64) Sample {
	values = slices.Clone(values)
	slices.Sort(values)
	s := Sample{Unit: unit, N: int64(len(values)), Values: values}
	if len(values) > keptValues {
		s.Values = make([]float64, keptValues)
		for i := range s.Values {
			s.Values[i] = values[(2*i+1)*len(values)/(2*keptValues)]
		}
	}
	return s
}

// Merge adds the evidence of another run: counts are added, samples joined. An experiment that only
// one of them did is kept.
func (e *Evidence) Merge(o Evidence) {
	if e.Experiments == nil {
		e.Experiments = map[string]*Record{}
	}
	e.GoVersion, e.Arch, e.Emulated = o.GoVersion, o.Arch, o.Emulated
	for name, r := range o.Experiments {
		have := e.Experiments[name]
		if have == nil || have.Unable != "" || have.Failed != "" {
			c := *r
			e.Experiments[name] = &c
			continue
		}
		if r.Unable == "" && r.Failed == "" {
			have.merge(r)
		}
	}
}

func (r *Record) merge(o *Record) {
	joined := Record{Lossy: r.Lossy || o.Lossy, Noise: max(r.Noise, o.Noise), Workloads: r.Workloads, Source: r.Source,
		Counts: map[string]int64{}, Samples: map[string]Sample{}, Outcomes: map[string]map[string]int64{},
		Notes: slices.Clone(r.Notes)}
	for _, from := range []*Record{r, o} {
		for k, n := range from.Counts {
			joined.Counts[k] += n
		}
		for k, s := range from.Samples {
			joined.Samples[k] = joined.Samples[k].Join(s)
		}
		for k, times := range from.Outcomes {
			for outcome, n := range times {
				joined.addOutcome(k, outcome, n)
			}
		}
	}
	for _, n := range o.Notes {
		if !slices.Contains(joined.Notes, n) {
			joined.Notes = append(joined.Notes, n)
		}
	}
	*r = joined
}

// addOutcome counts n equal runs with an outcome.
func (r *Record) addOutcome(name, outcome string, n int64) {
	if r.Outcomes == nil {
		r.Outcomes = map[string]map[string]int64{}
	}
	if r.Outcomes[name] == nil {
		r.Outcomes[name] = map[string]int64{}
	}
	r.Outcomes[name][outcome] += n
}

// droppedSuffix ends the name of a count of what was measured and left out.
const droppedSuffix = "_dropped"

// Dropped is how much was measured and left out.
func (r *Record) Dropped() (n int64) {
	for name, k := range r.Counts {
		if strings.HasSuffix(name, droppedSuffix) {
			n += k
		}
	}
	return n
}

// Outcome counts one outcome of an equal run.
func (r *Record) Outcome(name, outcome string) { r.addOutcome(name, outcome, 1) }

func (s Sample) medians() []float64 {
	if s.Medians == nil && len(s.Values) >= MinSamples {
		return []float64{median(s)}
	}
	return s.Medians
}

// Join adds the values of another process, or run.
func (s Sample) Join(o Sample) Sample {
	if s.N == 0 {
		return o
	}
	j := NewSample(o.Unit, append(slices.Clone(s.Values), o.Values...))
	j.N = s.N + o.N
	j.Medians = append(slices.Clone(s.medians()), o.medians()...)
	j.Bias = (s.Bias*float64(s.N) + o.Bias*float64(o.N)) / float64(max(1, j.N))
	return j
}
