package compare

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/report"
)

// key names one number of a run. "" = none, or all samples.
type key struct {
	id, phase, bound, cause, state string
	locked                         report.Ternary
	statistic, unit                string
}

// value is that number, and the samples that it is made of; 1 for a line of a benchmark.
type value struct {
	v       float64
	samples int64
}

// run is the unit of every comparison.
type run struct {
	where       string // file, and its line where it holds several runs
	id          string // the same in every copy of the report; "" = not known
	environment map[string]string
	end         time.Time // on the wall; zero = not known
	values      map[key]value
	order       []key // of values
}

func (r *run) set(k key, v value) {
	if _, ok := r.values[k]; !ok {
		r.order = append(r.order, k)
	}
	r.values[k] = v
}

// Side is what was read of one argument.
type Side struct {
	name    string
	runs    []*run
	leftOut []report.LeftOut
	notes   []string
	reports bool // of pinwatch, whose times are within 1 %
}

// Environment names what may differ, in the order of a report.
var environments = []string{"kernel", "CPU", "clock source", "Go release", "GOMAXPROCS", "pinwatch"}

// unknown is the value of what a report does not know.
const unknown = "unknown"

// Samples that a run needs for a quantile: fewer give an extreme instead.
const (
	samplesP50 = 10
	samplesP99 = 100
)

// document is what is read of a report.
type document struct {
	Schema   string          `json:"schema"`
	Pinwatch report.Pinwatch `json:"pinwatch"`
	Host     report.Host     `json:"host"`
	Target   struct {
		PID        int     `json:"pid"`
		GoVersion  *string `json:"go_version"`
		GOMAXPROCS *int    `json:"gomaxprocs"`
	} `json:"target"`
	Window report.Window `json:"window"`
	Loss   report.Loss   `json:"loss"`
	Costs  []cost        `json:"costs"`
	Final  bool          `json:"final"`
}

type cost struct {
	ID     string         `json:"id"`
	Phase  string         `json:"phase"`
	Locked report.Ternary `json:"locked"`
	Cause  *string        `json:"cause"`
	State  *string        `json:"state"`
	Bound  *string        `json:"bound"`
	N      int64          `json:"n"`
	P50    *int64         `json:"p50"`
	P99    *int64         `json:"p99"`
}

// lossy is true when a report lacks records, so that its costs are of some of the events only.
func (d *document) lossy() bool {
	r := report.Report{Loss: d.Loss}
	return r.Lossy()
}

// run is the run that a report describes.
func (d *document) run(where string) *run {
	r := &run{where: where, values: make(map[key]value, 2*len(d.Costs)), environment: map[string]string{
		"kernel": or(d.Host.Kernel), "CPU": cpu(&d.Host), "clock source": or(d.Host.Clocksource),
		"Go release": or(d.Target.GoVersion), "GOMAXPROCS": number(d.Target.GOMAXPROCS),
		"pinwatch": cmp.Or(d.Pinwatch.Version, unknown),
	}}
	if d.Window.WallEnd != nil {
		r.end, _ = time.Parse(time.RFC3339Nano, *d.Window.WallEnd) // zero where it is none
		r.id = fmt.Sprint(d.Target.PID, d.Window.StartNS, *d.Window.WallEnd)
	}
	for _, c := range d.Costs {
		k := key{id: c.ID, phase: c.Phase, bound: text(c.Bound), cause: text(c.Cause), state: text(c.State),
			locked: c.Locked, unit: "ns"}
		if c.P50 != nil && c.N >= samplesP50 {
			k.statistic = "p50"
			r.set(k, value{float64(*c.P50), c.N})
		}
		if c.P99 != nil && c.N >= samplesP99 {
			k.statistic = "p99"
			r.set(k, value{float64(*c.P99), c.N})
		}
	}
	return r
}

func cpu(h *report.Host) string {
	if h.CPUs == nil && h.CPUModel == nil {
		return unknown
	}
	return strings.TrimSpace(fmt.Sprintf("%s × %s %s", number(h.CPUs), or(h.CPUModel), h.Arch))
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func or(s *string) string { return cmp.Or(text(s), unknown) }

func number(n *int) string {
	if n == nil {
		return unknown
	}
	return strconv.Itoa(*n)
}
