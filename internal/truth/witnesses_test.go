package truth

import (
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// truthCase is a row of TestTruth: an activity, and its length and further flags in the long form.
type truthCase struct {
	about     string
	activity  activity
	long      time.Duration
	longFlags string
}

func truthCases() []truthCase {
	return []truthCase{
		{about: "thread churn", activity: activity{args: []string{"churn", "-rate", "300"}}, long: 10 * time.Second},
		{about: "garbage collection and spinners", activity: activity{args: strings.Fields("storm -gc -n 2")},
			long: 10 * time.Second},
		{about: "locked ping-pong", activity: activity{args: strings.Fields("pingpong -batch 50 -pace 10ms")},
			long: 10 * time.Second},
		{about: "200 threads", activity: activity{args: strings.Fields("threads -n 200")}, long: 5 * time.Second},
		{about: "cgo: churn by pthread_create, which is clone3",
			activity: activity{args: []string{"churn", "-rate", "300"}, cgo: true},
			long:     10 * time.Second},
		{about: "a burst of threads", activity: activity{args: strings.Fields("burst -every 1h -n 500")},
			long:      5 * time.Second,
			longFlags: "-n 9900"},
		{about: "a bit of everything", activity: activity{args: []string{"demo"}}, long: 10 * time.Second},
		{about: "a bit of everything, ended from outside", activity: activity{args: []string{"demo"}, ends: true},
			long: 5 * time.Second},
	}
}

// TestTruth compares every count of pinwatch's with the trace buffer, perf and bpftrace, event by
// event, in the same window. Each sample lies between bounds that the witnesses' stamps of the same
// two events give; slowness of the machine does not change that, so there is no tolerance for it.
// The differences of durations are only written down: the programs of all instruments run inside
// them.
func TestTruth(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.Tracefs)
	for _, need := range []*testenv.Need{testenv.Bpftrace, testenv.PerfRecord} {
		if need.Missing() != nil {
			t.Run("peer", func(t *testing.T) { testenv.Require(t, need) })
		}
	}
	var doc document
	var last *witnessed
	cases := truthCases()
	for _, c := range testenv.Cases(cases, cases[6:7]) {
		c.activity.work = time.Second
		if *truthOut != "" {
			c.activity.work = c.long
			c.activity.args = append(c.activity.args, strings.Fields(c.longFlags)...)
		}
		t.Run(c.about, func(t *testing.T) {
			var w *witnessed
			var counts []counted
			var times []timing
			agree(t, func() []string {
				w = c.activity.observe(t)
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
			doc.add(c, w, counts, times)
			last = w
		})
	}
	if *truthOut != "" && last != nil && !t.Failed() {
		doc.write(t, *truthOut, last)
	}
}
