package report

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/host"
)

// VerdictsSchemaID is the value of the key "schema" of a list of verdicts.
const VerdictsSchemaID = "pinwatch.verdicts/v1"

// VerdictsSchema is the JSON Schema (2020-12) that every list of verdicts follows.
//
//go:embed verdicts-v1.schema.json
var VerdictsSchema []byte

// Verdicts are the verdicts on the statements of the specification, on one machine with one release
// of Go. The schema gives the meaning of each key.
type Verdicts struct {
	Schema      string             `json:"schema"`
	Pinwatch    Pinwatch           `json:"pinwatch"`
	Host        Host               `json:"host"`
	GoVersion   string             `json:"go_version"`
	Environment Environment        `json:"environment"`
	Finished    string             `json:"finished"`
	Interrupted bool               `json:"interrupted"`
	Verdicts    []StatementVerdict `json:"verdicts"`
}

// Environment is what the workloads ran under, besides the host.
type Environment struct {
	Settings     map[string]string `json:"settings"`
	Cleared      map[string]string `json:"cleared"`
	CPUs         []int             `json:"cpus"`
	CgroupLimits *[]CgroupLimit    `json:"cgroup_limits"`
	Notes        []string          `json:"notes"`
}

// CgroupLimit is a file of a cgroup that sets a limit, with its content.
type CgroupLimit struct {
	File  string `json:"file"`
	Value string `json:"value"`
}

// SourcePlace is a line of the release's source that explains a verdict.
type SourcePlace struct {
	File     string  `json:"file"`
	Function string  `json:"function"`
	Line     *int    `json:"line"`
	Code     *string `json:"code"`
	Absent   bool    `json:"absent"`
	Release  *string `json:"release"`
}

// StatementVerdict is the verdict on one statement.
type StatementVerdict struct {
	ID        string   `json:"id"`
	Section   string   `json:"section"`
	Judges    string   `json:"judges"`
	Verdict   string   `json:"verdict"`
	Got       string   `json:"got"`
	Want      string   `json:"want"`
	N         int64    `json:"n"`
	Effect    *string  `json:"effect"`
	Why       string   `json:"why"`
	Corrected *string  `json:"corrected"`
	See       []string `json:"see"`
	Evidence  Evidence `json:"evidence"`
	Reproduce string   `json:"reproduce"`
	Warnings  []string `json:"warnings"`
}

// Evidence is the basis of a verdict.
type Evidence struct {
	Original    *string       `json:"original"`
	Claim       string        `json:"claim"`
	Basis       string        `json:"basis"`
	Scope       string        `json:"scope"`
	Method      string        `json:"method"`
	Statistic   *string       `json:"statistic"`
	Interval    *Interval     `json:"interval"`
	Dropped     int64         `json:"dropped"`
	Experiments []Experiment  `json:"experiments"`
	Source      []SourcePlace `json:"source"`
}

// Bases of a verdict.
const (
	Measured = "measured"
	BySource = "source"
)

// Interval is a confidence interval; nil ends are not bounded.
type Interval struct {
	Lo         *float64 `json:"lo"`
	Hi         *float64 `json:"hi"`
	Confidence float64  `json:"confidence"`
	Unit       string   `json:"unit"`
}

// Experiment holds the results of one experiment that a statement needs.
type Experiment struct {
	Name      string                   `json:"name"`
	Unable    *string                  `json:"unable"`
	Failed    *string                  `json:"failed"`
	Source    *string                  `json:"source"`
	Workloads []string                 `json:"workloads"`
	Lossy     bool                     `json:"lossy"`
	NoiseCPUs float64                  `json:"noise_cpus"`
	Counts    map[string]int64         `json:"counts"`
	Samples   map[string]SampleSummary `json:"samples"`
	Outcomes  map[string]OutcomeCounts `json:"outcomes"`
}

// OutcomeCounts is the number of different outcomes of equal runs.
type OutcomeCounts struct {
	Distinct int   `json:"distinct"`
	Runs     int64 `json:"runs"`
}

// SampleSummary summarizes a distribution.
type SampleSummary struct {
	Unit string  `json:"unit"`
	N    int64   `json:"n"`
	Min  float64 `json:"min"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
	Bias float64 `json:"bias"`
	// Range is the range that the statement claims for the median; nil = no claim about this
	// sample.
	Range *[2]float64 `json:"range"`
}

// VerdictsMeta describes the run that gave the verdicts.
type VerdictsMeta struct {
	Version     string
	Host        host.Info
	Finished    time.Time
	Interrupted bool
	Options     []string // of the command, but for the statements and the output
	Settings    map[string]string
	Cleared     map[string]string
	Limits      host.Limits
	Sources     map[string][]SourcePlace // by statement
	Notes       []string                 // about the environment
}

// NewVerdicts makes the list of the outcomes, in their order.
func NewVerdicts(meta VerdictsMeta, outcomes []contract.Outcome, e contract.Evidence) *Verdicts {
	v := &Verdicts{
		Schema: VerdictsSchemaID, Pinwatch: Pinwatch{meta.Version}, Host: newHost(meta.Host), GoVersion: e.GoVersion,
		Environment: newEnvironment(meta), Finished: meta.Finished.UTC().Format(time.RFC3339),
		Interrupted: meta.Interrupted, Verdicts: []StatementVerdict{},
	}
	for _, o := range outcomes {
		s, cite := o.Statement, o.Statement.Citation()
		row := StatementVerdict{
			ID: s.ID, Section: s.Section, Judges: s.Subject(), Verdict: o.Verdict, Got: o.Got, Want: s.Want, N: o.N,
			Why:    o.Why,
			Effect: known(o.Effect), Corrected: known(o.Corrected(intervalWords(o.Interval))),
			See: append([]string{}, cite.See...), Reproduce: reproduce(s.ID, meta),
			Warnings: append([]string{}, o.Warnings...),
			Evidence: Evidence{Original: known(cite.Spec), Claim: s.Claim, Basis: Measured, Scope: s.Scope.String(),
				Method: s.Method, Statistic: known(o.Statistic), Interval: newInterval(o.Interval),
				Experiments: []Experiment{}, Source: append([]SourcePlace{}, meta.Sources[s.ID]...)},
		}
		if s.Read {
			row.Evidence.Basis = BySource
		}
		for _, name := range s.Experiments() {
			if r := e.Experiments[name]; r != nil && s.Never == "" {
				row.Evidence.Dropped += r.Dropped()
				row.Evidence.Experiments = append(row.Evidence.Experiments, newExperiment(name, s, r))
			}
		}
		v.Verdicts = append(v.Verdicts, row)
	}
	return v
}

func newInterval(i *contract.Interval) *Interval {
	if i == nil {
		return nil
	}
	finite := func(v float64) *float64 {
		if math.IsInf(v, 0) {
			return nil
		}
		return ptr(round(v))
	}
	return &Interval{Lo: finite(i.Lo), Hi: finite(i.Hi), Confidence: round(i.Confidence), Unit: i.Unit}
}

// newExperiment keeps the parts of a record that the statement's clauses use.
func newExperiment(name string, s contract.Statement, r *contract.Record) Experiment {
	x := Experiment{
		Name: name, Unable: known(r.Unable), Failed: known(r.Failed), Source: known(r.Source),
		Workloads: append([]string{}, r.Workloads...), Lossy: r.Lossy,
		NoiseCPUs: round(r.Noise), Counts: map[string]int64{}, Samples: map[string]SampleSummary{},
		Outcomes: map[string]OutcomeCounts{},
	}
	if r.Unable != "" || r.Failed != "" {
		return x
	}
	for _, c := range s.Clauses {
		if c.From != name {
			continue
		}
		counts, samples := c.Test.Keys()
		for _, k := range counts {
			x.Counts[k] = r.Counts[k]
		}
		for _, k := range samples {
			sum := newSample(r.Samples[k])
			switch t := c.Test.(type) {
			case contract.Within:
				if !math.IsInf(t.Hi, 1) { // JSON has no such number; want has the end
					sum.Range = &[2]float64{t.Lo, t.Hi}
				}
			case contract.Bounded:
				sum.Range = &[2]float64{t.Lo, t.Hi}
			}
			x.Samples[k] = sum
		}
		if v, ok := c.Test.(contract.Varies); ok {
			n := OutcomeCounts{Distinct: len(r.Outcomes[v.Outcomes])}
			for _, times := range r.Outcomes[v.Outcomes] {
				n.Runs += times
			}
			x.Outcomes[v.Outcomes] = n
		}
	}
	return x
}

func newSample(s contract.Sample) SampleSummary {
	sum := SampleSummary{Unit: s.Unit, N: s.N, Bias: round(s.Bias)}
	if len(s.Values) == 0 {
		return sum
	}
	v := slices.Sorted(slices.Values(s.Values))
	at := func(q float64) float64 { return round(v[max(0, int(math.Ceil(q*float64(len(v))))-1)]) }
	sum.Min, sum.P50, sum.P90, sum.P99, sum.Max = at(0), at(0.5), at(0.9), at(0.99), at(1)
	return sum
}

// NotRun stands for the verdict on a statement whose experiments an interrupted run has not made. In JSON
// that is inconclusive.
const NotRun = "not_run"

// verdictKinds are the verdicts in the order of a summary, with their words and a mark.
var verdictKinds = []struct{ verdict, words, mark string }{
	{contract.Holds, "holds", "✔"},
	{contract.HoldsExcept, "holds except", "◐"},
	{contract.Witnessed, "witnessed", "●"},
	{contract.NotWitnessed, "not witnessed", "○"},
	{contract.Refuted, "refuted", "✘"},
	{contract.OutOfRange, "out of range", "▲"},
	{contract.Borderline, "borderline", "△"},
	{contract.Inconclusive, "inconclusive", "?"},
	{contract.NotTestable, "not testable", "–"},
	{NotRun, "not run", " "},
}

// Words is a verdict as people read it.
func Words(verdict string) string {
	for _, k := range verdictKinds {
		if k.verdict == verdict {
			return k.words
		}
	}
	return verdict
}

// Mark is a verdict as a sign of one rune.
func Mark(verdict string) string {
	for _, k := range verdictKinds {
		if k.verdict == verdict {
			return k.mark
		}
	}
	return ""
}

// VerdictCount is the number of verdicts of one kind.
type VerdictCount struct {
	Verdict string
	N       int
	IDs     []string // statements that need attention: refuted, out of range, inconclusive
}

// Tally counts the verdicts of each kind that occurs.
func (v *Verdicts) Tally() []VerdictCount {
	return v.tally(func(*StatementVerdict) bool { return true })
}

func (v *Verdicts) tally(counted func(*StatementVerdict) bool) (counts []VerdictCount) {
	for _, k := range verdictKinds {
		c := VerdictCount{Verdict: k.verdict}
		for i := range v.Verdicts {
			row := &v.Verdicts[i]
			if v.Kind(row) != k.verdict || !counted(row) {
				continue
			}
			c.N++
			switch k.verdict {
			case contract.Refuted, contract.OutOfRange, contract.Borderline, contract.Inconclusive:
				c.IDs = append(c.IDs, row.ID)
			}
		}
		if c.N > 0 {
			counts = append(counts, c)
		}
	}
	return counts
}

// TallyWords is Tally in words: "41 holds". The verdicts on pinwatch itself are counted apart, in the
// last part.
func (v *Verdicts) TallyWords() (parts []string) {
	ofPinwatch := func(row *StatementVerdict) bool { return row.Judges == contract.OfPinwatch }
	words := func(counts []VerdictCount) (words []string) {
		for _, c := range counts {
			words = append(words, fmt.Sprintf("%d %s", c.N, Words(c.Verdict)))
		}
		return words
	}
	parts = words(v.tally(func(row *StatementVerdict) bool { return !ofPinwatch(row) }))
	own := words(v.tally(ofPinwatch))
	if own != nil {
		parts = append(parts, "of pinwatch's own checks "+strings.Join(own, ", "))
	}
	return parts
}

// Kind is the verdict of a row, or NotRun.
func (v *Verdicts) Kind(row *StatementVerdict) string {
	if v.NotDone(row) {
		return NotRun
	}
	return row.Verdict
}

// NotDone is true when a verdict is inconclusive because the run was interrupted before the
// statement's experiments were done.
func (v *Verdicts) NotDone(row *StatementVerdict) bool {
	st, known := contract.Find(row.ID)
	return v.Interrupted && row.Verdict == contract.Inconclusive && known &&
		len(row.Evidence.Experiments) < len(st.Experiments())
}
