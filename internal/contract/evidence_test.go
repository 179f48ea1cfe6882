package contract

import (
	"strconv"
	"strings"
	"testing"
)

// evidence parses a line for each experiment, such as "migrate: moves=0 samples=1000 cost~20000x60
// tids=7of20": counts, samples as median x number of values, and outcomes as different ones of
// runs.
func evidence(t *testing.T, version string, lines ...string) Evidence {
	t.Helper()
	e := Evidence{GoVersion: version, Experiments: map[string]*Record{}}
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, ":")
		r := e.Experiments[name]
		if r == nil {
			r = &Record{Counts: map[string]int64{}, Samples: map[string]Sample{}}
			e.Experiments[name] = r
		}
		for _, word := range strings.Fields(rest) {
			if key, value, ok := strings.Cut(word, "="); ok {
				if outcomes, runs, ok := strings.Cut(value, "of"); ok {
					distinct, err1 := strconv.Atoi(outcomes)
					n, err2 := strconv.Atoi(runs)
					if err1 != nil || err2 != nil {
						t.Fatalf("%s: %v, %v", word, err1, err2)
					}
					delete(r.Outcomes, key)
					for i := range n {
						r.Outcome(key, strconv.Itoa(i%max(1, distinct)))
					}
					continue
				}
				n, err := strconv.ParseInt(value, 10, 64)
				if err != nil {
					t.Fatalf("%s: %v", word, err)
				}
				r.Counts[key] = n
				continue
			}
			key, value, _ := strings.Cut(word, "~")
			center, times, _ := strings.Cut(value, "x")
			center, top, _ := strings.Cut(center, "+") // the largest value
			around, err := strconv.ParseFloat(center, 64)
			n, errN := strconv.Atoi(times)
			if err != nil || errN != nil {
				t.Fatalf("%s: %v, %v", word, err, errN)
			}
			values := make([]float64, n)
			for i := range values {
				values[i] = around * (0.95 + 0.1*float64(i)/float64(max(1, n-1)))
			}
			if most, err := strconv.ParseFloat(top, 64); err == nil {
				values[n-1] = most
			}
			r.Samples[key] = NewSample("ns", values)
		}
	}
	return e
}

func TestMerge(t *testing.T) {
	var e Evidence
	e.Merge(evidence(t, "go1.26.8", "churn: created=3 exit~10x5"))
	e.Merge(evidence(t, "go1.26.8", "churn: created=4 exit~20x7", "storm: sigurg_sent=1"))
	failed := evidence(t, "go1.26.8", "churn: created=9")
	failed.Experiments["churn"].Unable = "no"
	e.Merge(failed)
	same := evidence(t, "go1.26.8", equalRuns, "runs: tids=1of20")
	e.Merge(same)
	e.Merge(same)
	if n := e.Experiments["runs"].Outcomes["tids"]; len(n) != 1 || n["0"] != 40 {
		t.Errorf("twice one outcome of 20 runs: %v", n)
	}
	r := e.Experiments["churn"]
	if r.Counts["created"] != 7 || r.Samples["exit"].N != 12 || len(r.Samples["exit"].Values) != 12 || r.Unable != "" ||
		e.Experiments["storm"].Counts["sigurg_sent"] != 1 {
		t.Errorf("merged: %+v", r)
	}
}
