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
		pooled, model := findings.InPool(rows[i].Role, rows[i].Lock)
		if pooled {
			pool = append(pool, rows[i].TID)
		} else if model {
			standard = rows[i].TID
		}
		if pooled || model {
			all = append(all, rows[i].TID)
		}
	}
	if len(pool) == 0 {
		return nil
	}
	attributes := observe.ReadAttributes(pid, all)
	warnings = attributes.Warnings()
	slices.Sort(pool)
	for _, f := range findings.Differing(attributes.Compared(), pool, standard) {
		warnings = append(warnings, fmt.Sprintf("%s (tid %s): whatever goroutine runs there has that too",
			f.Message, strings.Trim(fmt.Sprint(f.Evidence["tids"]), "[]")))
	}
	return warnings
}
