package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pinwatch/pinwatch/internal/leftover"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// Memory that grows by no more than this is flat: the size of the runtime's heap varies by as much.
const (
	flatBytes = 4 << 20
	flatShare = 0.1
)

// leastCycles is the least number of cycles in which growth can be distinguished from the start-up.
const leastCycles = 4

// result holds the measurements of a soak.
type result struct {
	began   time.Time
	took    time.Duration
	list    []cycle
	long    report // of the attachment that lasted
	left    []leftover.Object
	account *workload.Account
}

// memory returns the median memory, in bytes, of the long attachment in the second quarter of the
// time, after its start-up, and in the last quarter.
func (r *result) memory() (early, late uint64) {
	n := len(r.list)
	if n < leastCycles {
		return 0, 0
	}
	return medianRSS(r.list[n/4 : n/2]), medianRSS(r.list[n-n/4:])
}

func medianRSS(list []cycle) uint64 {
	sizes := make([]uint64, len(list))
	for i, c := range list {
		sizes[i] = c.longRSS
	}
	slices.Sort(sizes)
	return sizes[len(sizes)/2]
}

func (r *result) flat() bool {
	early, late := r.memory()
	return late <= early+max(flatBytes, uint64(flatShare*float64(early)))
}

// fds returns the fewest file descriptors of the long attachment in the first and in the second
// half of the time. One more for a moment is no leak.
func (r *result) fds() (early, late int) {
	half := len(r.list) / 2
	return fewest(r.list[:half]), fewest(r.list[half:])
}

func fewest(list []cycle) (n int) {
	for i, c := range list {
		if i == 0 || c.longFDs < n {
			n = c.longFDs
		}
	}
	return n
}

// verdict returns all that was wrong, or nil.
func (r *result) verdict() error {
	var errs []error
	if len(r.list) < leastCycles {
		errs = append(errs, fmt.Errorf("%d cycles are too few: at least %d are needed", len(r.list), leastCycles))
	}
	if early, late := r.memory(); !r.flat() {
		errs = append(errs, fmt.Errorf("memory grew from %.1f to %.1f MiB", mib(early), mib(late)))
	}
	if early, late := r.fds(); late > early {
		errs = append(errs, fmt.Errorf("%d file descriptors became %d", early, late))
	}
	if len(r.left) > 0 {
		errs = append(errs, fmt.Errorf("left in the kernel: %v", r.left))
	}
	return errors.Join(errs...)
}

// markdown formats the result as a table of one row.
func (r *result) markdown() string {
	early, late := r.memory()
	fewFDs, lateFDs := r.fds()
	var lost, peak uint64
	for _, c := range r.list {
		lost += c.report.Loss.Total
		peak = max(peak, c.peak)
	}
	verdict := "flat, nothing left"
	if r.verdict() != nil {
		verdict = "**failed**"
	}
	row := []string{
		r.began.UTC().Format(time.DateOnly), r.took.Round(time.Second).String(), fmt.Sprint(len(r.list)),
		fmt.Sprint(r.account.LockedExits), fmt.Sprint(r.account.GCs), fmt.Sprint(r.long.Counts.Switches),
		fmt.Sprintf("%.1f → %.1f", mib(early), mib(late)), fmt.Sprintf("%d → %d", fewFDs, lateFDs),
		fmt.Sprintf("%.1f", mib(peak)),
		fmt.Sprint(r.long.Loss.Total + lost), fmt.Sprint(len(r.left)), verdict,
	}
	return measure.Table([]string{
		"soak of", "lasted", "attachments beside the long one", "threads ended", "collections", "switches seen",
		"RssAnon MiB, 2nd quarter → last", "fewest fds, 1st half → 2nd", "most RSS of the others MiB", "events lost",
		"left in the kernel", "verdict",
	}, [][]string{row})
}
