package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// busiest is how many threads the text lists; the others are in JSON.
const busiest = 10

// threadTable is 100 wide. Creator and time blocked, which it leaves out, are in JSON.
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
	{title: "waiting", width: 7},
	{title: "woken/s", width: 7, spare: 4},
	{title: "CPUs", width: 5, left: true, spare: 7},
}

// kernelThreadTable is 100 wide; it stands for threadTable where nothing could be read of the runtime.
var kernelThreadTable = table{
	{title: "tid", width: 8},
	{title: "name", width: 15, left: true},
	{title: "creator", width: 8, spare: 3},
	{title: "life", width: 5, left: true, spare: 5},
	{title: "switch", width: 8},
	{title: "migr", width: 6},
	{title: "CPU", width: 6},
	{title: "running", width: 7},
	{title: "waiting", width: 7, spare: 1},
	{title: "blocked", width: 7, spare: 2},
	{title: "CPUs", width: 12, left: true, spare: 4},
}

// threads lists the threads that used most CPU time.
func (p *page) threads(r *Report) {
	if len(r.Threads) == 0 {
		return
	}
	ts := slices.Clone(r.Threads)
	slices.SortFunc(ts, func(a, b Thread) int {
		return cmp.Or(cmp.Compare(b.RunNS, a.RunNS), cmp.Compare(b.Switches, a.Switches), cmp.Compare(a.TID, b.TID))
	})
	t := threadTable
	if !slices.ContainsFunc(ts, func(th Thread) bool { return th.Role != unknown || th.Lock != unknown }) {
		t = kernelThreadTable
	}
	t = t.fit(p.width)
	p.line()
	p.line(t.header()...)
	for i := range ts[:min(len(ts), busiest)] {
		p.line(threadRow(t, &ts[i], float64(r.Window.EndNS-r.Window.StartNS))...)
	}
	if rest := ts[min(len(ts), busiest):]; len(rest) > 0 {
		var run int64
		for i := range rest {
			run += rest[i].RunNS
		}
		p.note(dim, fmt.Sprintf("… %s, together %s running", unit.Plural(len(rest), "more thread"), unit.Duration(float64(run))))
	}
}

func threadRow(t table, th *Thread, window float64) []span {
	return t.cells(func(title string) span {
		switch title {
		case "tid":
			return span{fmt.Sprint(th.TID), plain}
		case "name":
			return span{th.Name, plain}
		case "role":
			return span{th.Role, plain}
		case "m":
			return span{number(th.M), plain}
		case "lock":
			return span{lockWord(th.Lock, th.LockedExt), plain}
		case "goid":
			return span{number(th.GoID), plain}
		case "creator":
			return span{number(th.CreatedBy), plain}
		case "life":
			return span{life(th), plain}
		case "switch":
			return span{unit.SixRunes(th.Switches), plain}
		case "migr":
			return span{unit.SixRunes(th.Migrations), plain}
		case "CPU":
			if window <= 0 {
				return span{none, dim}
			}
			return span{unit.Percent(float64(th.RunNS) / window), bold}
		case "running":
			return span{unit.Duration(float64(th.RunNS)), plain}
		case "blocked":
			return span{unit.Duration(float64(th.BlockedNS)), plain}
		case "waiting":
			return span{unit.Duration(float64(th.RunqNS)), plain}
		case "woken/s":
			if th.handoffs() == 0 {
				return span{none, dim}
			}
			return span{wakeRate(th), plain}
		}
		return span{cpuRange(th.CPUs), plain}
	})
}

// lockWord is the lock with its depth where that is more than one: "user×2"; nothing where there is none.
func lockWord(lock string, depth *uint32) string {
	switch {
	case lock == "none":
		return ""
	case lock == "user" && depth != nil && *depth > 1:
		return lock + "×" + unit.SixRunes(uint64(*depth))
	}
	return lock
}

// life says whether the thread began or ended in the window.
func life(th *Thread) string {
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
