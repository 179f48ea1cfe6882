package findings

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
)

// duration writes ns with three significant digits: "43.2 µs".
func duration(ns float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= u.size {
			return digits(ns/u.size) + " " + u.name
		}
	}
	return digits(ns) + " ns"
}

// digits writes three significant digits, more before the point where there are more.
func digits(v float64) string {
	if v >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// percent writes a share of 1: "12.3 %".
func percent(share float64) string { return digits(100*share) + " %" }

// plural writes "1 thread", "3 threads".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// mainGoroutine is the function of the goroutine that runs the init functions and main.main.
const mainGoroutine = "runtime.main"

// goroutineOf names a goroutine by the function it began with.
func goroutineOf(entry string) string {
	switch starter, wrapped := starterOf(entry); {
	case entry == "":
		return "a goroutine whose function is not known"
	case entry == mainGoroutine:
		return "the main goroutine"
	case wrapped:
		return "a goroutine that " + shorten(starter) + " starts"
	}
	return shorten(entry)
}

// function names the code to change in advice.
func function(entry string) string {
	switch starter, wrapped := starterOf(entry); {
	case entry == "":
		return "the goroutine's function"
	case entry == mainGoroutine:
		return "main.main or an init function"
	case wrapped:
		return "the goroutine that " + shorten(starter) + " starts"
	}
	return shorten(entry)
}

// starterOf returns the function with the go statement, where the goroutine began with a function
// that the compiler made for that statement: "f.gowrap1" since Go 1.22, "f·dwrap·1" in Go 1.17.
// Between, it is named like a closure.
func starterOf(entry string) (starter string, wrapped bool) {
	for _, mark := range []string{".gowrap", "·dwrap·"} {
		if i := strings.LastIndex(entry, mark); i >= 0 {
			return entry[:i], true
		}
	}
	return "", false
}

// shorten leaves out the directories of a function's import path. Type arguments have slashes of
// their own.
func shorten(name string) string {
	head, _, _ := strings.Cut(name, "[")
	return name[strings.LastIndexByte(head, '/')+1:]
}

// orNil returns s for evidence; nil when empty.
func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// rounded keeps four significant digits: evidence is no better known.
func rounded(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

// mostTIDs is how many thread ids evidence lists.
const mostTIDs = 16

func tids(ts []*correlate.Thread) []int32 {
	ids := make([]int32, 0, min(len(ts), mostTIDs))
	for _, t := range ts[:min(len(ts), mostTIDs)] {
		ids = append(ids, t.TID)
	}
	return ids
}

// byEntry groups threads by the function that their goroutine began with, in the order of the first
// of each; threads with an unknown function are groups of one.
func byEntry(ts []*correlate.Thread) [][]*correlate.Thread {
	var groups [][]*correlate.Thread
	index := map[string]int{}
	for _, t := range ts {
		i, found := index[t.Lock.Entry]
		if !found || t.Lock.Entry == "" {
			i = len(groups)
			index[t.Lock.Entry] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], t)
	}
	return groups
}
