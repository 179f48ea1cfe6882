package budget

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/internal/nearest"
)

// limit is the values that a budget allows, in the unit of the report.
type limit struct {
	lo, hi         float64 // −Inf and +Inf: no limit
	loOpen, hiOpen bool    // the end itself is not allowed
}

// within reports whether all values from lo to hi are allowed.
func (l limit) within(lo, hi float64) bool { return !l.tooLow(lo) && !l.tooHigh(hi) }

// outside reports whether no value from lo to hi is allowed.
func (l limit) outside(lo, hi float64) bool { return l.tooHigh(lo) || l.tooLow(hi) }

func (l limit) tooHigh(v float64) bool { return v > l.hi || v == l.hi && l.hiOpen }

func (l limit) tooLow(v float64) bool { return v < l.lo || v == l.lo && l.loOpen }

// unitsOf are the units that a budget may have, the number of the report's unit in each.
func (k kind) unitsOf() (names []string, factors []float64) {
	switch k {
	case times:
		return []string{"ns", "us", "µs", "ms", "s"}, []float64{1, 1e3, 1e3, 1e6, 1e9}
	case seconds:
		return []string{"ns", "us", "µs", "ms", "s"}, []float64{1e-9, 1e-6, 1e-6, 1e-3, 1}
	case fraction:
		return []string{"%"}, []float64{0.01}
	}
	return []string{""}, []float64{1}
}

// String describes a kind in an error.
func (k kind) String() string {
	return map[kind]string{count: "a number", times: "a time", seconds: "a time", fraction: "a share"}[k]
}

const number = `[0-9]{1,15}(?:\.[0-9]{1,9})?`

// pattern is the regular expression (of Go and of ECMAScript) of all limits of a kind in text.
func (k kind) pattern() string {
	value := number
	if names, _ := k.unitsOf(); k != count {
		value = "(?:" + number + " ?(?:" + strings.Join(names, "|") + ")|0)"
	}
	return "^(?:(?:<=|>=|==|<|>)? ?" + value + "|" + value + " ?\\.\\. ?" + value + ")$"
}

// loose splits what could be meant as a limit.
var loose = regexp.MustCompile(`^(<=|>=|==|<|>)? ?(` + number + `) ?([^0-9. ]*)` +
	`(?: ?\.\. ?(` + number + `) ?([^0-9. ]*))?$`)

// parseLimit reads a limit of a metric.
func parseLimit(text string, m *metric) (l limit, err error) {
	f := loose.FindStringSubmatch(text)
	if f == nil || f[1] != "" && f[4] != "" {
		return l, fmt.Errorf("%q is no budget: want a comparison, as in %s, or a range, as in %s", cut(text),
			m.kind.example("<= "), m.kind.example("")+".."+m.kind.example(""))
	}
	v, err := m.scale(f[2], f[3])
	if err != nil {
		return l, err
	}
	l = limit{lo: math.Inf(-1), hi: math.Inf(1)}
	switch {
	case f[4] != "":
		l.lo = v
		if l.hi, err = m.scale(f[4], f[5]); err == nil && l.hi < l.lo {
			err = fmt.Errorf("%s: the range ends before it begins", text)
		}
	case f[1] == "" || f[1] == "==":
		l.lo, l.hi = v, v
	case f[1][0] == '<':
		l.hi, l.hiOpen = v, f[1] == "<"
	default:
		l.lo, l.loOpen = v, f[1] == ">"
	}
	return l, err
}

// scale gives a number with a unit in the unit of the report.
func (m *metric) scale(text, unit string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, err
	}
	names, factors := m.kind.unitsOf()
	i := slices.Index(names, unit)
	switch {
	case i >= 0:
		// Divided where that is exact: 0.1 is no float.
		if factors[i] < 1 {
			return v / math.Round(1/factors[i]), nil
		}
		return v * factors[i], nil
	case text == "0" && unit == "":
		return 0, nil
	case m.kind == count:
		return 0, fmt.Errorf("%s is a number without a unit: what is %q?", m.name, unit)
	case unit == "":
		return 0, fmt.Errorf("%s is %v: %s needs a unit: %s", m.name, m.kind, text, strings.Join(names, ", "))
	}
	hint := "want " + strings.Join(names, ", ")
	if near := nearest.Names(unit, names, 1); len(near) > 0 && m.kind != fraction {
		hint = "did you mean " + near[0] + "? " + hint
	}
	return 0, fmt.Errorf("%s is %v, and %q no unit of it; %s", m.name, m.kind, unit, hint)
}

func (k kind) example(op string) string {
	return op + map[kind]string{count: "8", times: "80us", seconds: "10s", fraction: "2%"}[k]
}
