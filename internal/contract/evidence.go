package contract

import "slices"

// Evidence is all that a verdict is made of, by experiment. It is plain data: what is not in it has no say.
type Evidence struct {
	GoVersion   string // that built the workloads: go1.26.8
	Arch        string // of the machine: amd64
	Emulated    bool   // its CPUs are: how long something takes there says nothing
	Experiments map[string]*Record
}

// Record is what one experiment brought.
type Record struct {
	Unable string // why it can't be done here; "" = it can
	Failed string // what went wrong in it; "" = nothing
	Lossy  bool   // kernel records were lost in it: what was not seen may have happened
	// Noise is how many CPUs others than the workload and pinwatch kept busy meanwhile, in the mean. Times measured then are not the
	// statement's fault.
	Noise     float64
	Workloads []string // command lines, as the workload command takes them
	Source    string   // what the numbers were read from: the workload's account, kernel events, the runtime's memory
	Counts    map[string]int64
	Samples   map[string]Sample
	Outcomes  map[string]map[string]int64 // of equal runs: by name, how often each outcome came
	Notes     []string                    // warnings that every verdict from this record carries
}

// Sample is a distribution: all its values, or of very many as many, at even ranks, as its median's interval needs.
type Sample struct {
	Unit   string // ns, ratio
	N      int64  // how many there were
	Values []float64
	// Medians are those of the processes, or runs, that the values come from; nil = one. They differ by more than the values of one tell.
	Medians []float64
	// Bias is the mean part of a value that is pinwatch's own programs, in the sample's unit; 0 where there is none.
	Bias float64
}

// keptValues of a sample are enough: the interval of a median over 1,000 values is within 3 % of the ranks.
const keptValues = 1000

// NewSample keeps as much of the values as a verdict needs.
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

// Merge adds the evidence of another run: counts add up, samples join, and what was done in one of them was done.
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
		Counts: map[string]int64{}, Samples: map[string]Sample{}, Outcomes: map[string]map[string]int64{}, Notes: slices.Clone(r.Notes)}
	for _, from := range []*Record{r, o} {
		for k, n := range from.Counts {
			joined.Counts[k] += n
		}
		for k, s := range from.Samples {
			joined.Samples[k] = joined.Samples[k].Join(s)
		}
		for k, times := range from.Outcomes {
			for outcome, n := range times {
				joined.outcome(k, outcome, n)
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

func (r *Record) outcome(name, outcome string, n int64) {
	if r.Outcomes == nil {
		r.Outcomes = map[string]map[string]int64{}
	}
	if r.Outcomes[name] == nil {
		r.Outcomes[name] = map[string]int64{}
	}
	r.Outcomes[name][outcome] += n
}

// Outcome notes one outcome of an equal run.
func (r *Record) Outcome(name, outcome string) { r.outcome(name, outcome, 1) }

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
