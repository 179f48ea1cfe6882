package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// none stands in text for a value that is not known or does not exist.
const none = "–"

// duration writes ns in the unit that leaves one to three digits before the point, three significant digits: "840 ns", "23.4 µs".
func duration(ns float64) string {
	switch {
	case math.Round(ns) < 1000:
		return fmt.Sprintf("%.0f ns", ns)
	case round3(ns) < 1e6:
		return digits3(ns/1e3) + " µs"
	case round3(ns) < 1e9:
		return digits3(ns/1e6) + " ms"
	}
	return digits3(ns/1e9) + " s"
}

// durationRange writes two durations that share a unit where they can: "10–50 µs".
func durationRange(lo, hi int64) string {
	a, unitA, _ := strings.Cut(duration(float64(lo)), " ")
	b, unitB, _ := strings.Cut(duration(float64(hi)), " ")
	a, b = trimZeros(a), trimZeros(b)
	if unitA == unitB {
		return a + "–" + b + " " + unitB
	}
	return a + " " + unitA + "–" + b + " " + unitB
}

// trimZeros makes "10.0" "10": a claimed range or a whole number has no measured digits behind the point.
func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// count writes a number in full with thousands separators: "1,234,567".
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short writes a number in at most six runes: in full up to 99,999, scaled above: "123k", "1.23M".
func short(n uint64) string {
	if n < 100_000 {
		return count(n)
	}
	return scaled(float64(n))
}

// scaled writes a number with three significant digits and k, M, G or T for the powers of 1,000: "24.6", "2.47k".
func scaled(v float64) string {
	for _, u := range []struct {
		size   float64
		suffix string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if round3(v) >= u.size {
			return digits3(v/u.size) + u.suffix
		}
	}
	return trimZeros(digits3(v))
}

// bytesOf writes a size: "12.3 MiB".
func bytesOf(n uint64) string {
	v, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, u
	}
	return digits3(v) + " " + unit
}

// percent writes a share of 1 as "12.3 %"; what rounds to nothing but is something shows as "<0.1 %".
func percent(share float64) string {
	switch p := 100 * share; {
	case p > 0 && p < 0.1:
		return "<0.1 %"
	case p == 0 || math.Round(p) >= 100:
		return fmt.Sprintf("%.0f %%", p)
	default:
		return fmt.Sprintf("%.1f %%", p)
	}
}

// round3 rounds to three significant digits.
func round3(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

// digits3 writes three significant digits, without exponent: "1.23", "12.3", "123", "1235".
func digits3(v float64) string {
	switch v3 := round3(v); {
	case v3 >= 100:
		return fmt.Sprintf("%.0f", v)
	case v3 >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// cpuRange writes ascending CPU numbers as the kernel does: "0-3,8".
func cpuRange(cpus []int) string {
	var parts []string
	for i := 0; i < len(cpus); {
		j := i
		for j+1 < len(cpus) && cpus[j+1] == cpus[j]+1 {
			j++
		}
		part := strconv.Itoa(cpus[i])
		if j > i {
			part += "-" + strconv.Itoa(cpus[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	if parts == nil {
		return none
	}
	return strings.Join(parts, ",")
}

// function leaves out the directories of a function's import path: "worker.(*Pool).run". Type arguments have slashes of their own.
func function(name string) string {
	head, _, _ := strings.Cut(name, "[")
	return name[strings.LastIndexByte(head, '/')+1:]
}

// ending cuts a function's name to width runes and keeps its end, which tells it from others of its package.
func ending(name string, width int) string {
	if runes := []rune(name); len(runes) > width {
		return "…" + string(runes[len(runes)-max(width-1, 0):])
	}
	return name
}

// blocks are a bar's heights, lowest first.
var blocks = []rune("▁▂▃▄▅▆▇█")

// sparkline draws one bar per count, the fullest at full height. An empty stretch is blank, so that rare samples still show.
func sparkline(hist [][2]int64) string {
	var most int64
	for _, h := range hist {
		most = max(most, h[1])
	}
	var b strings.Builder
	for _, h := range hist {
		if h[1] == 0 {
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(blocks[(h[1]*int64(len(blocks))-1)/most])
	}
	return b.String()
}
