package text

import (
	"path"
	"strconv"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

var siteTable = table{
	{title: "LockOSThread called by", width: 24, left: true, grow: true},
	{title: "at", width: 19, left: true, spare: 2},
	{title: "calls", width: 7},
	{title: "per s", width: 6},
	{title: "mean held", width: 15, left: true, spare: 1, time: true},
	{title: "still held", width: 10},
}

// sites lists callers of LockOSThread, on request each with its stack.
func (p *page) sites(sites []report.Site, stacks bool) {
	if len(sites) == 0 {
		return
	}
	t := p.fit(siteTable, p.width)
	p.line()
	p.line(p.header(t)...)
	for i := range sites {
		s := &sites[i]
		p.line(p.cells(t, func(title string) styled { return p.siteCell(t, s, title) })...)
		if stacks {
			for _, frame := range s.Stack {
				p.line(styled{"   " + frame, dim})
			}
		}
	}
}

func (p *page) siteCell(t table, s *report.Site, title string) styled {
	switch title {
	case "LockOSThread called by":
		return styled{ending(unit.Function(s.Function), t.of(title).width), bold}
	case "at":
		return styled{path.Base(s.File) + ":" + strconv.Itoa(s.Line), plain}
	case "calls":
		return styled{unit.SixRunes(s.Calls), plain}
	case "per s":
		if s.PerS == nil {
			return styled{none, dim}
		}
		return styled{unit.Scaled(*s.PerS), plain}
	case "mean held":
		if s.HeldMeanMin == nil || s.HeldMeanMax == nil {
			return styled{none, dim}
		}
		return styled{p.between(int64(*s.HeldMeanMin), int64(*s.HeldMeanMax)), plain}
	}
	return styled{unit.SixRunes(s.Held), plain}
}
