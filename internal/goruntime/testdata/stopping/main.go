// Command stopping stops the world for each line of its standard input, and prints what
// runtime/metrics has counted since it began. Go 1.22 and later build it.
package main

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// account is what the runtime's buckets allow to say.
type account struct{ N, Least, Most, LongestLeast, LongestMost int64 }

func stopping(kind string) (a account) {
	s := []metrics.Sample{{Name: "/sched/pauses/stopping/" + kind + ":seconds"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	for i, n := range h.Counts {
		if n == 0 {
			continue
		}
		a.N += int64(n)
		if i > 0 { // the first bucket has those below 0
			a.LongestLeast, a.LongestMost = nanos(h.Buckets[i]), nanos(h.Buckets[i+1])
			a.Least += int64(n) * a.LongestLeast
			a.Most += int64(n) * a.LongestMost
		}
	}
	return a
}

func nanos(seconds float64) int64 { return int64(math.Round(seconds * 1e9)) }

func main() {
	debug.SetGCPercent(-1) // only runtime.GC collects
	out := json.NewEncoder(os.Stdout)
	out.Encode(map[string]account{"gc": stopping("gc"), "other": stopping("other")})
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var m runtime.MemStats
		for i := 0; i < 20; i++ {
			runtime.ReadMemStats(&m)
		}
		runtime.GC()
		out.Encode(map[string]account{"gc": stopping("gc"), "other": stopping("other")})
	}
}
