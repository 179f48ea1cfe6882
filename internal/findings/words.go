package findings

import (
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/unit"
)

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
		return "a goroutine that " + unit.Function(starter) + " starts"
	}
	return unit.Function(entry)
}

// function names the code to change in advice.
func function(entry string) string {
	switch starter, wrapped := starterOf(entry); {
	case entry == "":
		return "the goroutine's function"
	case entry == mainGoroutine:
		return "main.main or an init function"
	case wrapped:
		return "the goroutine that " + unit.Function(starter) + " starts"
	}
	return unit.Function(entry)
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

// orNil returns s for evidence; nil when empty.
func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// rounded keeps four significant digits: evidence is known no better.
func rounded(v float64) float64 { return unit.Round(v, 4) }

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
