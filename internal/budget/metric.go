package budget

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/report"
)

// kind is what a metric counts, and so which units its budget may have.
type kind int

const (
	count    kind = iota
	times         // ns in a report
	seconds       // s in a report
	fraction      // of 1
)

// metric is a number that a budget can be on.
type metric struct {
	name string // as in a report, without "counts." and "sums."
	kind kind

	path       []string // of a number that is in no list
	cost       *costRow
	finding    string // a kind of finding, or with atSeverity the least severity
	atSeverity bool
}

// costRow names a statistic of one row of costs.
type costRow struct {
	id, phase            string
	locked, cause, state string // "" = all samples
	stat                 string
}

// Severities of findings, the least first.
var severities = []string{"info", "warn", "error"}

// populations are the values of a row's dimensions. Any word can be a cause: more are added with new
// releases of Go.
var populations = map[string][]string{
	"locked": {"true", "false", "unknown"},
	"state":  {"on_cpu", "runnable", "blocked", "unknown"},
	"cause":  nil,
}

// short cuts the section off the name of a count.
func short(name string) string {
	for _, section := range []string{"counts.", "sums."} {
		if s, cut := strings.CutPrefix(name, section); cut {
			return s
		}
	}
	return name
}

// numbers are the names of all numbers of reports and summaries that are in no list, in the order of
// the types. A count is there by its short name as well.
var numbers = sync.OnceValue(func() (names []string) {
	for _, model := range []any{report.Report{}, report.Summary{}, report.Executable{}} {
		for _, f := range leaves(reflect.TypeOf(model), "") {
			for _, name := range []string{short(f.name), f.name} {
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
})

// stats are the statistics of a row of costs.
var stats = sync.OnceValue(func() (list []leaf) { return leaves(reflect.TypeFor[report.Cost](), "") })

// leaf is a number in JSON.
type leaf struct {
	name     string
	nullable bool
}

// leaves lists the numbers of a type in JSON that are in no list and no map.
func leaves(t reflect.Type, prefix string) (list []leaf) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		ft, nullable := f.Type, false
		if ft.Kind() == reflect.Pointer {
			ft, nullable = ft.Elem(), true
		}
		switch ft.Kind() {
		case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64, reflect.Float64:
			list = append(list, leaf{prefix + name, nullable})
		case reflect.Struct:
			if f.Anonymous {
				list = append(list, leaves(ft, prefix)...)
			} else {
				list = append(list, leaves(ft, prefix+name+".")...)
			}
		}
	}
	return list
}

// kindOf reads the unit at the end of a name.
func kindOf(name string) kind {
	switch {
	case strings.HasSuffix(name, "_ns"):
		return times
	case strings.HasSuffix(name, "_fraction"):
		return fraction
	case strings.HasSuffix(name, "_s") && !strings.HasSuffix(name, "per_s"):
		return seconds
	}
	return count
}

// statKind is kindOf for a statistic: those without a unit in their name have the row's, ns, and
// are null without a sample.
func statKind(s leaf) kind {
	if k := kindOf(s.name); k != count || !s.nullable {
		return k
	}
	return times
}

// quantile is the part of the samples below a statistic called p50, p90, …; 0 for others.
func quantile(stat string) float64 {
	digits, is := strings.CutPrefix(stat, "p")
	q, err := strconv.ParseFloat("0."+digits, 64)
	if !is || err != nil {
		return 0
	}
	return q
}

// findMetric finds what a name in a budget stands for. names are those that it could have been.
func findMetric(name string) (m metric, names []string) {
	if slices.Contains(numbers(), name) {
		name = short(name)
		return metric{name: name, kind: kindOf(name), path: strings.Split(name, ".")}, nil
	}
	if row, k := findCost(name); row != nil {
		return metric{name: name, kind: k, cost: row}, nil
	}
	return metric{}, slices.Concat(numbers(), costNames())
}

// findCost reads ID.PHASE.STATISTIC or ID.PHASE.DIMENSION=VALUE.STATISTIC; nil for anything else.
func findCost(name string) (*costRow, kind) {
	parts := strings.Split(name, ".")
	if len(parts) != 3 && len(parts) != 4 {
		return nil, 0
	}
	row := &costRow{id: parts[0], phase: parts[1], stat: parts[len(parts)-1]}
	known := func(c correlate.Cost) bool { return c.ID == row.id && c.Phase == row.phase }
	at := slices.IndexFunc(stats(), func(s leaf) bool { return s.name == row.stat })
	if at < 0 || !slices.ContainsFunc(correlate.Phases(), known) {
		return nil, 0
	}
	if len(parts) == 4 {
		dimension, value, _ := strings.Cut(parts[2], "=")
		values, is := populations[dimension]
		if !is || values != nil && !slices.Contains(values, value) || values == nil && !isWord(value) {
			return nil, 0
		}
		switch dimension {
		case "locked":
			row.locked = value
		case "cause":
			row.cause = value
		case "state":
			row.state = value
		}
	}
	return row, statKind(stats()[at])
}

// isWord reports whether a text is made as the words of a report are.
func isWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// costNames are the names of all statistics over all samples.
var costNames = sync.OnceValue(func() (names []string) {
	for _, c := range correlate.Phases() {
		for _, s := range stats() {
			names = append(names, c.ID+"."+c.Phase+"."+s.name)
		}
	}
	return names
})

// findFinding finds the metric of a key under findings.
func findFinding(key string) (m metric, names []string) {
	names = slices.Concat(severities, findings.IDs())
	if !slices.Contains(names, key) {
		return metric{}, names
	}
	return metric{name: "findings." + key, finding: key, atSeverity: slices.Contains(severities, key)}, nil
}
