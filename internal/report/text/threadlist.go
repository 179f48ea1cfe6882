package text

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// listTable is 100 wide. Scheduling, which most threads share, is in the lines above the table. All
// values are in JSON.
var listTable = table{
	{title: "tid", width: 7},
	{title: "m", width: 4, spare: 5},
	{title: "role", width: 9, left: true},
	{title: "lock", width: 8, left: true},
	{title: "goid", width: 7},
	{title: "goroutine", width: 9, left: true, spare: 2},
	{title: "function or [name]", width: 19, left: true, spare: 1, grow: true},
	{title: "P", width: 3, spare: 7},
	{title: "kernel", width: 15, left: true, spare: 3},
	{title: "CPU", width: 3, spare: 6},
	{title: "used", width: 5, spare: 4},
}

// kernelTable is for programs whose runtime could not be read.
var kernelTable = table{
	{title: "tid", width: 7},
	{title: "function or [name]", width: 20, left: true},
	{title: "kernel", width: 26, left: true, spare: 1},
	{title: "CPU", width: 3, spare: 3},
	{title: "used", width: 7, spare: 2},
	{title: "age", width: 7, spare: 4},
}

// ListOptions are the properties of a page with a list of threads.
type ListOptions struct {
	Options
	Groups bool // every group and no row for each thread
	Height int  // lines; 0 = no limit
}

// WriteThreadList writes a list of threads: the process, the number of threads of each kind, what
// holds them, their scheduling, warnings, and a row for each thread.
func WriteThreadList(w io.Writer, l *report.ThreadList, o ListOptions) error {
	p := newPage(o.Options)
	t := l.Target
	parts := []string{fmt.Sprintf("%s, pid %d", path.Base(or(t.Exe, "?")), t.PID)}
	if t.GoVersion != nil {
		parts = append(parts, *t.GoVersion)
	}
	p.field("target", plain, append(parts, traits(&t)...)...)
	counts := tally(l.Threads)
	if words := changes(l); words != "" {
		counts = append(counts, words)
	}
	p.field("threads", plain, counts...)
	most := mostGroups
	if o.Groups {
		most = len(l.Groups)
	}
	p.groups(groupLabels[l.GroupedBy], l.Groups, most, "--by function lists all")
	label := "scheduling"
	for _, line := range schedules(l.Threads) {
		p.field(label, plain, line)
		label = ""
	}
	label = "warnings"
	for _, w := range l.Warnings {
		p.field(label, notice, w)
		label = ""
	}
	if o.Groups {
		p.groupStacks(l)
	} else if len(l.Threads) > 0 {
		p.listed(l)
	}
	p.cut(o.Height)
	return p.write(w)
}

// listed writes a row for each thread.
func (p *page) listed(l *report.ThreadList) {
	columns := kernelTable
	if slices.ContainsFunc(l.Threads, func(th report.ListedThread) bool {
		return th.Role != unknown && th.Role != ioWorker
	}) {
		columns = listTable
	}
	columns = p.fit(columns, p.width)
	p.line()
	p.line(p.header(columns)...)
	for i := range l.Threads {
		th := &l.Threads[i]
		cells := p.listedRow(columns, th)
		cells[0].text = changeMark(th) + cells[0].text[1:] // in the gap before the first column
		p.line(cells...)
		p.stack(th)
	}
}

// stack writes the stack of a thread, if it was asked for.
func (p *page) stack(th *report.ListedThread) {
	for _, frame := range th.Stack {
		p.line(styled{labelIndent + frame, dim})
	}
}

// groupStacks writes the stack of a thread of each group, if it was asked for.
func (p *page) groupStacks(l *report.ThreadList) {
	for i := range l.Groups {
		g := &l.Groups[i]
		at := slices.IndexFunc(l.Threads, func(th report.ListedThread) bool {
			return len(g.TIDs) > 0 && th.TID == g.TIDs[0] && len(th.Stack) > 0
		})
		if at < 0 {
			continue
		}
		p.line()
		p.line(styled{fmt.Sprintf("thread %d, %s", g.TIDs[0], groupWords(g)), plain})
		p.stack(&l.Threads[at])
	}
}

// tally counts all threads and those in a special state.
func tally(threads []report.ListedThread) []string {
	parts := []string{unit.Count(len(threads))}
	add := func(words string, is func(th *report.ListedThread) bool) {
		var n uint64
		for i := range threads {
			if is(&threads[i]) {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, unit.Count(n)+" "+words)
		}
	}
	lock := func(word string) func(*report.ListedThread) bool {
		return func(th *report.ListedThread) bool { return th.Lock == word }
	}
	add("locked by the user", lock("user"))
	add("of them parked", func(th *report.ListedThread) bool {
		return th.Lock == "user" && th.Parked != nil &&
			*th.Parked
	})
	add("locked by the runtime", lock("runtime"))
	add("exiting while locked", lock("exiting"))
	add("wedged", lock("wedged"))
	add("foreign", func(th *report.ListedThread) bool { return th.Role == "foreign" })
	add("io_worker", func(th *report.ListedThread) bool { return th.Role == ioWorker })
	add("with unknown role or lock", func(th *report.ListedThread) bool {
		return th.Role == unknown || th.Lock == unknown
	})
	return parts
}

// schedule holds a thread's scheduling attributes. Most threads of a process share them.
type schedule struct{ affinity, nice, policy string }

func (s schedule) String() string { return "CPUs " + s.affinity + ", nice " + s.nice + ", " + s.policy }

const (
	mostSchedules = 8 // lines
	mostNamed     = 6 // tids in a line
)

// schedules writes a line for each schedule, that of most threads first, with the tids of the
// others.
func schedules(threads []report.ListedThread) (lines []string) {
	tids := map[schedule][]string{}
	var all []schedule
	for i := range threads {
		th := &threads[i]
		s := schedule{or(th.Affinity, "?"), "?", or(th.Policy, "policy ?")}
		if th.Nice != nil {
			s.nice = fmt.Sprint(*th.Nice)
		}
		if tids[s] == nil {
			all = append(all, s)
		}
		tids[s] = append(tids[s], fmt.Sprint(th.TID))
	}
	slices.SortStableFunc(all, func(a, b schedule) int { return cmp.Compare(len(tids[b]), len(tids[a])) })
	for i, s := range all {
		of := tids[s]
		switch {
		case len(all) == 1:
			lines = append(lines, "all on "+s.String())
		case i == 0:
			lines = append(lines, fmt.Sprintf("%s on %s", unit.Plural(len(of), "thread"), s))
		case i == mostSchedules:
			return append(lines, fmt.Sprintf("and %d more: see -o json", len(all)-i))
		case len(of) > mostNamed:
			lines = append(lines, fmt.Sprintf("%s and %d more on %s", strings.Join(of[:mostNamed], ", "),
				len(of)-mostNamed, s))
		default:
			lines = append(lines, strings.Join(of, ", ")+" on "+s.String())
		}
	}
	return lines
}

func (p *page) listedRow(t table, th *report.ListedThread) []styled {
	st := plain
	switch th.Lock {
	case "user", "exiting", "wedged":
		st = bold
	}
	return p.cells(t, func(title string) styled {
		switch title {
		case "tid":
			return styled{fmt.Sprint(th.TID), st}
		case "m":
			return styled{number(th.M), plain}
		case "role":
			return styled{th.Role, plain}
		case "lock":
			return styled{lockWord(th.Lock, th.LockedExt), st}
		case "goid":
			if th.GoID == nil {
				return styled{number(th.RunningGoID), plain}
			}
			return styled{number(th.GoID), st}
		case "goroutine":
			return styled{running(th), plain}
		case "function or [name]":
			if th.LockEntry != nil {
				return styled{ending(unit.Function(*th.LockEntry), t.of(title).width), st}
			}
			if th.Function != nil && th.Role != *th.Function {
				return styled{ending(unit.Function(*th.Function), t.of(title).width), plain}
			}
			return styled{"[" + th.Name + "]", dim}
		case "P":
			return styled{number(th.P), plain}
		case "kernel":
			return styled{strings.TrimSpace(or(th.State, "?") + " " + or(th.WChan, "")), plain}
		case "CPU":
			return styled{number(th.CPU), plain}
		case "used":
			return styled{age(th.CPUSeconds), plain}
		}
		return styled{age(th.AgeSeconds), plain}
	})
}

// running is the state of the thread's goroutine.
func running(th *report.ListedThread) string {
	switch or(th.Use, unknown) {
	case "call":
		return or(th.Call, "in a call")
	case "foreign":
		return or(th.Call, "")
	case "c":
		return "in C"
	case "runs", "parked", "idle", "ended":
		return *th.Use
	}
	return ""
}

// age writes seconds; none where they are not known.
func age(s *float64) string {
	if s == nil {
		return none
	}
	return unit.Age(*s)
}
