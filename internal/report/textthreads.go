package report

import (
	"cmp"
	"fmt"
	"slices"
)

// busiest is how many threads the text lists; the others are in JSON.
const busiest = 10

// threadTable is 100 wide.
var threadTable = table{
	{title: "tid", width: 8},
	{title: "name", width: 15, left: true},
	{title: "creator", width: 8, spare: 3},
	{title: "life", width: 5, left: true, spare: 5},
	{title: "switches", width: 8},
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
	t := threadTable.fit(p.width)
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
		p.note(dim, fmt.Sprintf("… %s, together %s running", plural(uint64(len(rest)), "more thread"), duration(float64(run))))
	}
}

func threadRow(t table, th *Thread, window float64) []span {
	return t.cells(func(title string) span {
		switch title {
		case "tid":
			return span{itoa(th.TID), plain}
		case "name":
			return span{th.Name, plain}
		case "creator":
			if th.CreatedBy == nil {
				return span{none, dim}
			}
			return span{itoa(*th.CreatedBy), plain}
		case "life":
			return span{life(th), plain}
		case "switches":
			return span{short(th.Switches), plain}
		case "migr":
			return span{short(th.Migrations), plain}
		case "CPU":
			if window <= 0 {
				return span{none, dim}
			}
			return span{percent(float64(th.RunNS) / window), bold}
		case "running":
			return span{duration(float64(th.RunNS)), plain}
		case "waiting":
			return span{duration(float64(th.RunqNS)), plain}
		case "blocked":
			return span{duration(float64(th.BlockedNS)), plain}
		}
		return span{cpuRange(th.CPUs), plain}
	})
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
