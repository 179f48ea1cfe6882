package unit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Count writes a whole number in full with thousands separators: "1,234,567", "-1,000".
func Count[T ~int | ~int64 | ~uint64](n T) string { return separate(fmt.Sprintf("%d", n)) }

// Whole rounds v to a whole number and writes it as Count does.
func Whole(v float64) string { return separate(strconv.FormatFloat(v, 'f', 0, 64)) }

func separate(s string) string {
	for i := len(s) - 3; i > strings.LastIndexByte(s[:1], '-')+1; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Scaled writes a number without trailing zeros, and with k, M, G or T for powers of 1,000: "24.6",
// "2.47k". Below 1 it has two decimals, for the width of a column.
func Scaled(v float64) string {
	for _, u := range []struct {
		size   float64
		suffix string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if Round(v, 3) >= u.size {
			return Digits(v/u.size) + u.suffix
		}
	}
	if Round(v, 3) < 1 {
		return trimZeros(fmt.Sprintf("%.2f", v))
	}
	return Short(v)
}

// SixRunes writes a count in at most six runes: in full up to 99,999, scaled above: "123k",
// "1.23M".
func SixRunes(n uint64) string {
	if n < 100_000 {
		return Count(n)
	}
	return Scaled(float64(n))
}

// Plural writes a count and what is counted: "1 thread", "3 threads".
func Plural[T ~int | ~int64 | ~uint64](n T, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Count(n) + " " + what + "s"
}

// Processes writes a number of processes.
func Processes[T ~int | ~int64 | ~uint64](n T) string {
	if n == 1 {
		return "1 process"
	}
	return Count(n) + " processes"
}

// Digits writes three significant digits, without exponent: "0.123", "1.23", "12.3", "123", "1235".
func Digits(v float64) string {
	if v == 0 || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	return strconv.FormatFloat(v, 'f', max(0, 2-exponent(Round(v, 3))), 64)
}

// Short is Digits without trailing zeros: "1.5", "24", "100".
func Short(v float64) string { return trimZeros(Digits(v)) }

// trimZeros cuts zeros behind the point: a claimed range or a whole number has no measured digits
// there.
func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// Round keeps so many significant digits. 0 stands for what is not finite, which JSON cannot hold.
func Round(v float64, digits int) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	scale := math.Pow(10, float64(digits-1-exponent(v)))
	return math.Round(v*scale) / scale
}

// CPUs writes CPU numbers, which are in ascending order, in the kernel's list format: "0-3,8".
func CPUs(cpus []int) string {
	var list strings.Builder
	for i := 0; i < len(cpus); i++ {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(strconv.Itoa(cpus[i]))
		first := i
		for i+1 < len(cpus) && cpus[i+1] == cpus[i]+1 {
			i++
		}
		if i > first {
			list.WriteString("-" + strconv.Itoa(cpus[i]))
		}
	}
	return list.String()
}

// exponent returns the power of ten of v's first digit.
func exponent(v float64) int { return int(math.Floor(math.Log10(math.Abs(v)))) }
