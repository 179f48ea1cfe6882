package text

import (
	"path"
	"strconv"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// sitesShown limits how many call sites the text lists without --verbose.
const sitesShown = 10

// siteWidth is the column width of the calling function.
const siteWidth = 34

// siteTable is 97 wide.
var siteTable = table{
	{title: "LockOSThread called by", width: siteWidth, left: true},
	{title: "at", width: 19, left: true, spare: 2},
	{title: "calls", width: 7},
	{title: "per s", width: 6},
	{title: "mean held", width: 15, left: true, spare: 1},
	{title: "still held", width: 10},
}

// sites lists the callers of LockOSThread in the order of the report, the most frequent first.
func (p *page) sites(r *report.Report, verbose bool) {
	if len(r.Sites) == 0 {
		return
	}
	shown := r.Sites
	if !verbose {
		shown = shown[:min(len(shown), sitesShown)]
	}
	t := siteTable.fit(p.width)
	p.line()
	p.line(t.header()...)
	for i := range shown {
		s := &shown[i]
		p.line(t.cells(func(title string) styled { return siteCell(s, title) })...)
		if verbose {
			for _, frame := range s.Stack {
				p.line(styled{"   " + frame, dim})
			}
		}
	}
	if n := len(r.Sites) - len(shown); n > 0 {
		p.note(dim, unit.Plural(n, "more site")+": --verbose lists all")
	}
}

func siteCell(s *report.Site, title string) styled {
	switch title {
	case "LockOSThread called by":
		return styled{ending(unit.Function(s.Function), siteWidth), bold}
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
		return styled{unit.DurationRange(int64(*s.HeldMeanMin), int64(*s.HeldMeanMax)), plain}
	}
	return styled{unit.SixRunes(s.Held), plain}
}
