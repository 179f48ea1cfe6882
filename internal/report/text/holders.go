package text

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// mostGroups limits the groups of threads above a table and in a report.
const mostGroups = 8

// holders writes what holds the threads of a report.
func (p *page) holders(r *report.Report) {
	if len(r.Holders) > 0 {
		p.line()
		p.groups("held by", r.Holders, len(r.Holders), "")
	}
}

// countWidth is the width of the number of a group's threads.
const countWidth = 6

var groupIndent = labelIndent + strings.Repeat(" ", countWidth+len(" x "))

// groups writes a line for each group, with a label before the first.
func (p *page) groups(label string, groups []report.ThreadGroup, most int, more string) {
	for i := range groups {
		if i == most {
			rest := 0
			for j := range groups[i:] {
				rest += groups[i+j].Threads
			}
			p.field("", dim, fmt.Sprintf("and %s, %s: %s", unit.Plural(len(groups)-i, "more group"),
				unit.Plural(rest, "thread"), more))
			return
		}
		g := &groups[i]
		st, change := plain, ""
		if g.Before != nil && *g.Before != g.Threads {
			st, change = bold, fmt.Sprintf(" (%+d)", g.Threads-*g.Before)
		}
		first := pad(label, labelWidth) + padLeft(unit.Count(g.Threads), countWidth) + change + " × "
		words := groupWords(g)
		if g.Use == nil && g.Threads == len(g.TIDs) { // few that are apart from the others
			words += ", tid " + strings.Trim(fmt.Sprint(g.TIDs), "[]")
		}
		p.wrap(first, bold, groupIndent, st, []string{words})
		label = ""
	}
}

// groupWords describes a group, without the number of its threads.
func groupWords(g *report.ThreadGroup) string {
	var parts []string
	if g.Use != nil && *g.Use == unknown && g.Call == nil && g.WChan == nil && (g.Lock == nil || *g.Lock == unknown) {
		return "not known"
	}
	if g.Use != nil {
		parts = append(parts, heldWords(&g.Held, g.WChan))
		if *g.Use == "idle" || *g.Use == "runtime" || *g.Use == "exited" || *g.Use == "ended" ||
			*g.Use == "foreign" {
			if g.Lock != nil && *g.Lock == "none" {
				return parts[0]
			}
		}
	}
	if g.Lock != nil {
		parts = append(parts, lockWords(*g.Lock))
	}
	for _, name := range slices.Sorted(maps.Keys(g.Namespaces)) {
		parts = append(parts, g.Namespaces[name])
	}
	if len(parts) == 0 {
		return "not known"
	}
	return strings.Join(parts, ", ")
}

func heldWords(h *report.Held, wchan *string) string {
	return unit.Held{Use: or(h.Use, unknown), Function: or(h.Function, ""), Via: or(h.Via, ""), Call: or(h.Call, ""),
		CFunc: or(h.CFunc, ""), WChan: or(wchan, "")}.String()
}

// lockWords describes a lock.
func lockWords(lock string) string {
	switch lock {
	case "none":
		return "not locked"
	case "user", "runtime":
		return "locked by the " + lock
	case "exiting":
		return "exiting while locked"
	case unknown:
		return "lock not known"
	}
	return lock
}

// groupLabels are the labels before groups.
var groupLabels = map[string]string{
	report.ByFunction: "held by", report.ByWait: "in", report.ByLock: "locks", report.ByNamespace: "namespaces",
}

// changes writes what has changed since the read before; nothing without one.
func changes(l *report.ThreadList) string {
	if l.Ended == nil {
		return ""
	}
	n := map[string]int{}
	for i := range l.Threads {
		n[or(l.Threads[i].Change, "")]++
	}
	return fmt.Sprintf("since the last read: %d new, %d ended, %d changed", n[report.ChangeNew], *l.Ended,
		n[report.ChangeChanged])
}

// changeMark stands before a row that has changed since the read before.
func changeMark(th *report.ListedThread) string {
	return cmp.Or(map[string]string{report.ChangeNew: "+", report.ChangeChanged: "*"}[or(th.Change, "")], " ")
}
