package text

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// busiest limits how many threads the text lists. JSON has all but those of Report.Omitted.
const busiest = 10

// threadTable is 100 wide. It leaves out creator and time blocked, which are in JSON.
var threadTable = table{
	{title: "tid", width: 7},
	{title: "name", width: 10, left: true, spare: 1},
	{title: "role", width: 9, left: true},
	{title: "m", width: 4},
	{title: "lock", width: 8, left: true},
	{title: "goid", width: 7, spare: 2},
	{title: "life", width: 5, left: true, spare: 5},
	{title: "switch", width: 6, spare: 3},
	{title: "migr", width: 6, spare: 6},
	{title: "CPU", width: 6},
	{title: "waiting", width: 7, time: true},
	{title: "woken/s", width: 7, spare: 4},
	{title: "CPUs", width: 5, left: true, spare: 7},
}

// kernelThreadTable is 100 wide. It replaces threadTable where the runtime's memory could not be
// read.
var kernelThreadTable = table{
	{title: "tid", width: 8},
	{title: "name", width: 15, left: true},
	{title: "creator", width: 8, spare: 3},
	{title: "life", width: 5, left: true, spare: 5},
	{title: "switch", width: 8},
	{title: "migr", width: 6},
	{title: "CPU", width: 6},
	{title: "running", width: 7, time: true},
	{title: "waiting", width: 7, spare: 1, time: true},
	{title: "blocked", width: 7, spare: 2, time: true},
	{title: "CPUs", width: 12, left: true, spare: 4},
}

// threads lists the threads that used the most CPU time.
func (p *page) threads(r *report.Report) {
	if len(r.Threads) == 0 {
		return
	}
	ts := slices.Clone(r.Threads)
	slices.SortFunc(ts, func(a, b report.Thread) int {
		return cmp.Or(cmp.Compare(b.RunNS, a.RunNS), cmp.Compare(b.Switches, a.Switches), cmp.Compare(a.TID, b.TID))
	})
	t := threadTable
	if !slices.ContainsFunc(ts, func(th report.Thread) bool {
		return th.Role != ioWorker && (th.Role != unknown || th.Lock != unknown)
	}) {
		t = kernelThreadTable
	}
	t = p.fit(t, p.width)
	p.line()
	p.line(p.header(t)...)
	for i := range ts[:min(len(ts), busiest)] {
		p.line(p.threadRow(t, &ts[i], float64(r.Window.EndNS-r.Window.StartNS))...)
	}
	if rest := ts[min(len(ts), busiest):]; len(rest) > 0 {
		var run int64
		for i := range rest {
			run += rest[i].RunNS
		}
		p.note(dim, fmt.Sprintf("… %s, together %s running", unit.Plural(len(rest), "more thread"),
			unit.Duration(float64(run))))
	}
	if n := r.Omitted.Asleep; n > 0 {
		p.note(dim, "not listed: "+unit.Plural(n, "thread")+" that only slept since the attach, not known to be locked")
	}
	if n := r.Omitted.Ended; n > 0 {
		p.note(dim, "not listed: "+unit.Plural(n, "thread")+" that ended, the least busy")
	}
}

func (p *page) threadRow(t table, th *report.Thread, window float64) []styled {
	return p.cells(t, func(title string) styled {
		switch title {
		case "tid":
			return styled{fmt.Sprint(th.TID), plain}
		case "name":
			return styled{th.Name, plain}
		case "role":
			return styled{th.Role, plain}
		case "m":
			return styled{number(th.M), plain}
		case "lock":
			return styled{lockWord(th.Lock, th.LockedExt), plain}
		case "goid":
			return styled{number(th.GoID), plain}
		case "creator":
			return styled{number(th.CreatedBy), plain}
		case "life":
			return styled{life(th), plain}
		case "switch":
			return styled{unit.SixRunes(th.Switches), plain}
		case "migr":
			return styled{unit.SixRunes(th.Migrations), plain}
		case "CPU":
			if window <= 0 {
				return styled{none, dim}
			}
			return styled{unit.Percent(float64(th.RunNS) / window), bold}
		case "running":
			return styled{p.time(float64(th.RunNS)), plain}
		case "blocked":
			return styled{p.time(float64(th.BlockedNS)), plain}
		case "waiting":
			return styled{p.time(float64(th.RunqNS)), plain}
		case "woken/s":
			if handoffs(th) == 0 {
				return styled{none, dim}
			}
			return styled{wakeRate(th), plain}
		}
		return styled{cmp.Or(unit.CPUs(th.CPUs), none), plain}
	})
}

// lockWord is the lock, with its depth where that is more than one: "user×2". It is empty for a
// thread without lock.
func lockWord(lock string, depth *uint32) string {
	switch {
	case lock == "none":
		return ""
	case lock == "user" && depth != nil && *depth > 1:
		return lock + "×" + unit.SixRunes(uint64(*depth))
	}
	return lock
}

// life is "new", "ended" or, for both, "brief" when the thread began or ended in the window.
func life(th *report.Thread) string {
	switch {
	case th.StartNS != nil && th.ExitNS != nil:
		return "brief"
	case th.StartNS != nil:
		return "new"
	case th.ExitNS != nil:
		return "ended"
	}
	return ""
}
