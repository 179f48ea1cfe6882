package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/findings"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
)

// differing describes the threads of the pool that are not as the process is. The rows are those of
// the process's threads.
func differing(pid int, rows []report.ListedThread) (warnings []string) {
	var all, pool []int32
	standard := int32(0)
	for i := range rows {
		r := &rows[i]
		if r.Lock != "none" {
			continue
		}
		switch r.Role {
		case "sysmon":
			standard = r.TID
		case "main", "worker", "template":
			pool = append(pool, r.TID)
		default:
			continue
		}
		all = append(all, r.TID)
	}
	if len(pool) == 0 {
		return nil
	}
	attributes := observe.ReadAttributes(pid, all)
	if attributes.Hidden {
		warnings = append(warnings, observe.HiddenAttributes)
	}
	slices.Sort(pool)
	for _, f := range findings.Differing(attributes.Compared(), pool, standard) {
		warnings = append(warnings, fmt.Sprintf("%s (tid %s): whatever goroutine runs there has that too",
			f.Message, strings.Trim(fmt.Sprint(f.Evidence["tids"]), "[]")))
	}
	return warnings
}
