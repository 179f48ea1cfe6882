package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/unit"
)

func nanos(seconds float64) string { return fmt.Sprintf("%.0f", seconds*1e9) }

func millis(d time.Duration) string { return big(d.Seconds() * 1e3) }

func mebibytes(bytes uint64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func held(ok bool) string {
	if ok {
		return "yes"
	}
	return "**no**"
}

// big is a number with its thousands apart.
func big(n float64) string { return unit.Whole(n) }

// shell is a command as one would type it.
func shell(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = a
		if strings.ContainsAny(a, " ^$()|*{}<>;&\"\n") {
			words[i] = "'" + a + "'"
		}
	}
	return strings.Join(words, " ")
}
