package report

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// listTable is 100 wide. What it has no room for is in the lines above it, where it is the same for most threads, and in JSON.
var listTable = table{
	{title: "tid", width: 7},
	{title: "m", width: 4, spare: 5},
	{title: "role", width: 9, left: true},
	{title: "lock", width: 8, left: true},
	{title: "goid", width: 7},
	{title: "goroutine", width: 9, left: true, spare: 2},
	{title: "function or [name]", width: 19, left: true, spare: 1},
	{title: "P", width: 3, spare: 7},
	{title: "kernel", width: 15, left: true, spare: 3},
	{title: "CPU", width: 3, spare: 6},
	{title: "used", width: 5, spare: 4},
}

// kernelTable is for programs of which nothing but the kernel's side is known.
var kernelTable = table{
	{title: "tid", width: 7},
	{title: "function or [name]", width: 20, left: true},
	{title: "kernel", width: 26, left: true, spare: 1},
	{title: "CPU", width: 3, spare: 3},
	{title: "used", width: 7, spare: 2},
	{title: "age", width: 7, spare: 4},
}

// WriteThreadListText writes the list for eyes: the process, how many threads of which kind, how they are scheduled, warnings,
// and a row for each thread. Colour repeats what words say.
func WriteThreadListText(w io.Writer, l *ThreadList, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = DefaultWidth
	}
	p := &page{width: o.Width, color: o.Color}
	p.listed(l)
	if _, err := io.WriteString(w, p.b.String()); err != nil {
		return fmt.Errorf("write list of threads: %w", err)
	}
	return nil
}

func (p *page) listed(l *ThreadList) {
	t := l.Target
	parts := []string{fmt.Sprintf("%s, pid %d", path.Base(or(t.Exe, "?")), t.PID)}
	if t.GoVersion != nil {
		parts = append(parts, *t.GoVersion)
	}
	p.field("target", plain, append(parts, t.traits()...)...)
	p.field("threads", plain, tally(l.Threads)...)
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
	if len(l.Threads) == 0 {
		return
	}
	columns := kernelTable
	if slices.ContainsFunc(l.Threads, func(th ListedThread) bool { return th.Role != "unknown" }) {
		columns = listTable
	}
	columns = columns.fit(p.width)
	p.line()
	p.line(columns.header()...)
	for i := range l.Threads {
		p.line(listedRow(columns, &l.Threads[i])...)
	}
}

// tally counts the threads, and those of them that are in a special state.
func tally(threads []ListedThread) []string {
	parts := []string{unit.Count(len(threads))}
	add := func(words string, is func(th *ListedThread) bool) {
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
	lock := func(word string) func(*ListedThread) bool {
		return func(th *ListedThread) bool { return th.Lock == word }
	}
	add("locked by the user", lock("user"))
	add("of them parked", func(th *ListedThread) bool { return th.Lock == "user" && th.Parked != nil && *th.Parked })
	add("locked by the runtime", lock("runtime"))
	add("exiting while locked", lock("exiting"))
	add("wedged", lock("wedged"))
	add("foreign", func(th *ListedThread) bool { return th.Role == "foreign" })
	add("not known", func(th *ListedThread) bool { return th.Role == "unknown" || th.Lock == "unknown" })
	return parts
}

// schedule is how the kernel treats a thread. Threads of a process mostly share it.
type schedule struct{ affinity, nice, policy string }

func (s schedule) String() string { return "CPUs " + s.affinity + ", nice " + s.nice + ", " + s.policy }

// Of how many schedules, and of how many threads of each, the text names the tids.
const (
	mostSchedules = 8
	mostNamed     = 6
)

// schedules says how the threads are scheduled, the way of most first, with the tids of the others.
func schedules(threads []ListedThread) (lines []string) {
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
			return append(lines, fmt.Sprintf("and %d more ways: see -o json", len(all)-i))
		case len(of) > mostNamed:
			lines = append(lines, fmt.Sprintf("%s and %d more on %s", strings.Join(of[:mostNamed], ", "), len(of)-mostNamed, s))
		default:
			lines = append(lines, strings.Join(of, ", ")+" on "+s.String())
		}
	}
	return lines
}

func listedRow(t table, th *ListedThread) []span {
	st := plain
	switch th.Lock {
	case "user", "exiting", "wedged":
		st = bold
	}
	width := 0
	if i := slices.IndexFunc(t, func(c column) bool { return c.title == "function or [name]" }); i >= 0 {
		width = t[i].width
	}
	return t.cells(func(title string) span {
		switch title {
		case "tid":
			return span{fmt.Sprint(th.TID), st}
		case "m":
			return span{number(th.M), plain}
		case "role":
			return span{th.Role, plain}
		case "lock":
			return span{lockWord(th.Lock, th.LockedExt), st}
		case "goid":
			if th.GoID == nil {
				return span{number(th.RunningGoID), plain}
			}
			return span{number(th.GoID), st}
		case "goroutine":
			return span{running(th), plain}
		case "function or [name]":
			if th.LockEntry != nil {
				return span{ending(function(*th.LockEntry), width), st}
			}
			return span{"[" + th.Name + "]", dim}
		case "P":
			if th.P == nil {
				return span{none, dim}
			}
			return span{fmt.Sprint(*th.P), plain}
		case "kernel":
			return span{strings.TrimSpace(or(th.State, "?") + " " + or(th.WChan, "")), plain}
		case "CPU":
			if th.CPU == nil {
				return span{none, dim}
			}
			return span{fmt.Sprint(*th.CPU), plain}
		case "used":
			return span{age(th.CPUSeconds), plain}
		}
		return span{age(th.AgeSeconds), plain}
	})
}

// running says whether the thread's goroutine runs.
func running(th *ListedThread) string {
	switch {
	case th.Parked != nil && *th.Parked:
		return "parked"
	case th.RunningGoID == nil:
		return ""
	case or(th.State, "R") == "R":
		return "runs"
	}
	return "in a call" // of the system, of C, or to wait for a lock of the runtime
}

// age writes seconds; none where they are not known.
func age(s *float64) string {
	if s == nil {
		return none
	}
	return unit.Age(*s)
}
