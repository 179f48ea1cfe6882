package main

import (
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/unit"
)

func nanos(seconds float64) string { return unit.Whole(seconds * 1e9) }

func millis(d time.Duration) string { return unit.Whole(d.Seconds() * 1e3) }

func mebibytes(bytes uint64) string { return unit.Digits(float64(bytes) / (1 << 20)) }

func held(ok bool) string {
	if ok {
		return "yes"
	}
	return "**no**"
}

// shell formats a command for a shell.
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
