package main

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// truthOut is the document that the long form of TestTruth writes its figures into; "" asks for the short form.
var truthOut = flag.String("truth.out", "", "TestTruth: observe for longer and write the figures into `FILE`, between its markers")

// play is one workload of the table: how long it works in the short form, and in the long one with which flags.
type play struct {
	about     string
	scene     scene
	long      time.Duration
	longFlags string
}

func plays() []play {
	return []play{
		{about: "thread churn", scene: scene{args: []string{"churn", "-rate", "300"}}, long: 10 * time.Second},
		{about: "garbage collection and spinners", scene: scene{args: strings.Fields("storm -gc -n 2")}, long: 10 * time.Second},
		{about: "locked ping-pong", scene: scene{args: strings.Fields("pingpong -batch 50 -pace 10ms")}, long: 10 * time.Second},
		{about: "200 threads", scene: scene{args: strings.Fields("threads -n 200")}, long: 5 * time.Second},
		{about: "cgo: churn by pthread_create, which is clone3", scene: scene{args: []string{"churn", "-rate", "300"}, cgo: true}, long: 10 * time.Second},
		{about: "a burst of threads", scene: scene{args: strings.Fields("burst -every 1h -n 500")}, long: 5 * time.Second, longFlags: "-n 9900"},
		{about: "a bit of everything", scene: scene{args: []string{"demo"}}, long: 10 * time.Second},
		{about: "a bit of everything, ended from outside", scene: scene{args: []string{"demo"}, ends: true}, long: 5 * time.Second},
	}
}

// Everything that pinwatch counts, others count, too, event by event: the trace buffer, perf and bpftrace, in the same window; and each
// sample of pinwatch's lies between bounds that their stamps of the same two events give it. There is no tolerance for slowness in that. What
// is only reported is how far apart the durations are: the programs of all instruments run inside them.
func TestTruth(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Tracefs)
	for _, need := range []*testenv.Need{testenv.Bpftrace, testenv.PerfRecord} {
		if need.Missing() != nil {
			t.Run("peer", func(t *testing.T) { testenv.Require(t, need) })
		}
	}
	var doc document
	var last *truth
	for _, p := range plays() {
		p.scene.work = time.Second
		if *truthOut != "" {
			p.scene.work = p.long
			p.scene.args = append(p.scene.args, strings.Fields(p.longFlags)...)
		}
		t.Run(p.about, func(t *testing.T) {
			var w *truth
			var counts []counted
			var times []timing
			agree(t, func() []string {
				w = p.scene.witness(t)
				problems := lossProblems(w.report.Loss)
				if problems != nil {
					return problems
				}
				problems = w.checkReport()
				for _, more := range [][]string{w.checkMoves(), w.checkThreads(), w.checkAccount()} {
					problems = append(problems, more...)
				}
				var more []string
				counts, more = w.compareMoments()
				problems = append(problems, more...)
				times, more = w.compareTimes()
				return append(problems, more...)
			})
			if len(times) == 0 {
				t.Error("nothing was compared")
			}
			doc.add(p, w, counts, times)
			last = w
		})
	}
	if *truthOut != "" && last != nil && !t.Failed() {
		doc.write(t, *truthOut, last)
	}
}
