package contract

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Quantity words a value with three significant digits and its unit.
func Quantity(v float64, unit string) string { return quantity(v, unit) }

func quantity(v float64, unit string) string {
	switch unit {
	case "ns":
		for _, u := range []struct {
			ns   float64
			name string
		}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
			if math.Abs(v) >= u.ns {
				return digits(v/u.ns) + " " + u.name
			}
		}
		return digits(v) + " ns"
	case "ratio":
		return digits(v) + " ×"
	}
	return digits(v) + " " + unit
}

func digits(v float64) string {
	switch a := math.Abs(v); {
	case v == 0 || math.IsInf(v, 0):
		return fmt.Sprint(v)
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	default:
		return strconv.FormatFloat(v, 'f', max(0, 2-int(math.Floor(math.Log10(a)))), 64)
	}
}

// number separates thousands.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > strings.LastIndexByte(s[:1], '-')+1; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
