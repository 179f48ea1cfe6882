// Package unit writes numbers with their units, CPU lists and names of functions for people, and
// reads sizes that people type.
//
// Numbers are rounded to three significant digits, unless a function's comment gives another rule.
package unit

import (
	"fmt"
	"math"
	"strings"
)

// Duration writes ns in the unit that leaves one to three digits before the point: "840 ns", "23.4
// µs", "17.0 ms". Nanoseconds are whole.
func Duration(ns float64) string {
	v, name := timeUnit(ns)
	if name == "ns" {
		return fmt.Sprintf("%.0f ns", ns)
	}
	return Digits(v) + " " + name
}

// ShortDuration is Duration without trailing zeros, and with decimals of a nanosecond: "17 ms",
// "4.2 ns".
func ShortDuration(ns float64) string {
	v, name := timeUnit(ns)
	return Short(v) + " " + name
}

// DurationRange writes two durations in ns and their unit once where they share it: "10–50 µs",
// "900 ns–3 µs". Two that look the same are written as one.
func DurationRange(lo, hi int64) string {
	least, most := Duration(float64(lo)), Duration(float64(hi))
	a, unitA, _ := strings.Cut(least, " ")
	b, unitB, _ := strings.Cut(most, " ")
	a, b = trimZeros(a), trimZeros(b)
	switch {
	case least == most:
		return least
	case unitA == unitB:
		return a + "–" + b + " " + unitB
	}
	return a + " " + unitA + "–" + b + " " + unitB
}

// Age writes a time in seconds in at most five runes: "0.42s", "12.3s", "52m", "31h", "12d".
func Age(seconds float64) string {
	switch {
	case seconds < 10:
		return fmt.Sprintf("%.2fs", seconds)
	case seconds < 100:
		return fmt.Sprintf("%.1fs", seconds)
	case seconds < 100*60:
		return fmt.Sprintf("%.0fm", seconds/60)
	case seconds < 72*3600:
		return fmt.Sprintf("%.0fh", seconds/3600)
	}
	return fmt.Sprintf("%.0fd", seconds/86400)
}

// timeUnit converts ns to the largest unit of time that leaves a digit before the point once it is
// rounded.
func timeUnit(ns float64) (v float64, name string) {
	for _, u := range []struct {
		ns   float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if Round(math.Abs(ns), 3) >= u.ns {
			return ns / u.ns, u.name
		}
	}
	return ns, "ns"
}

// Quantity writes a value in the unit that a sample names: "ns" (scaled as a duration), "ratio"
// ("1.05 ×"), or any other word.
func Quantity(v float64, name string) string {
	switch name {
	case "ns":
		v, name = timeUnit(v)
	case "ratio":
		name = "×"
	}
	return Digits(v) + " " + name
}

// ShortPercent writes a share of 1 with three significant digits: "12.3 %", "0.5 %".
func ShortPercent(share float64) string { return Short(100*share) + " %" }

// Percent writes a share of 1 with one decimal: "12.3 %". A share above 0 that would round to it is
// "<0.1 %".
func Percent(share float64) string {
	switch p := 100 * share; {
	case p > 0 && p < 0.1:
		return "<0.1 %"
	case p == 0 || math.Round(p) >= 100:
		return fmt.Sprintf("%.0f %%", p)
	default:
		return fmt.Sprintf("%.1f %%", p)
	}
}

// Bytes writes a size in bytes: "12.3 MiB".
func Bytes(n uint64) string {
	v, name := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, name = v/1024, u
	}
	return Digits(v) + " " + name
}

// Function leaves out the directories of a function's import path: "worker.(*Pool).run". Type
// arguments have slashes of their own.
func Function(name string) string {
	head, _, _ := strings.Cut(name, "[")
	return name[strings.LastIndexByte(head, '/')+1:]
}
