package contract

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/unit"
)

// effect words how large the measured effect is, beside what the statement claims; "" where there
// is no size to tell.
func effect(t Test, r *Record, d decision) string {
	switch t := t.(type) {
	case Within:
		if d.interval == nil {
			return ""
		}
		if t.Effect {
			return ratioWords(*d.interval)
		}
		return besideRange(*d.interval, t.Lo, t.Hi)
	case Bounded:
		if d.interval == nil {
			return ""
		}
		return besideRange(*d.interval, t.Lo, t.Hi)
	case Dearer:
		a, b := median(r.Samples[t.Sample]), median(r.Samples[t.Than])
		if a <= 0 || b <= 0 || a == b {
			return ""
		}
		return fmt.Sprintf("median %s times the other's", figure(a/b))
	case Spread:
		if s := r.Samples[t.Sample]; median(s) > 0 {
			return fmt.Sprintf("the longest is %s times the median", figure(slices.Max(s.Values)/median(s)))
		}
	}
	if i := d.interval; i != nil && i.Unit == "share" && d.n >= leastTries {
		return shareWords(*i)
	}
	return ""
}

// leastTries is the least number of tries of which a share is told. Of fewer, the interval is wide.
const leastTries = 20

// besideRange compares the interval of a cost with the range of the statement.
func besideRange(i Interval, lo, hi float64) string {
	switch {
	case i.Lo >= lo && i.Hi <= hi && lo > 0:
		return "inside the range"
	case i.Lo < lo && i.Hi <= hi: // below the range, or across its lower end
		return span(i.Lo/lo, i.Hi/lo) + " times the lower end of the range"
	case lo > 0:
		return span(i.Lo/hi, i.Hi/hi) + " times the upper end of the range"
	}
	return span(i.Lo/hi, i.Hi/hi) + " times the limit"
}

// ratioWords words a ratio: as a difference where it is near 1.
func ratioWords(i Interval) string {
	if i.Hi < 2 {
		return "a difference of " + signed(i.Lo-1) + " to " + signed(i.Hi-1) + " %"
	}
	return span(i.Lo, i.Hi) + " times"
}

// signed is a share in percent, with its sign and one digit after the point. Zero has no sign.
func signed(share float64) string {
	tenths := math.Round(1000 * share)
	if tenths == 0 {
		return "0"
	}
	return strings.ReplaceAll(fmt.Sprintf("%+.1f", tenths/10), "-", "−")
}

// OfTheTries ends the words of an effect that is a share of the tries.
const OfTheTries = "of the tries"

// shareWords words the share of the tries that a count is.
func shareWords(i Interval) string {
	percent := func(share float64) string { return unit.Digits(100*share) + " %" }
	switch {
	case i.Lo == 0:
		return "below " + percent(i.Hi) + " " + OfTheTries
	case i.Hi == 1:
		return "above " + percent(i.Lo) + " " + OfTheTries
	}
	return percent(i.Lo) + " to " + percent(i.Hi) + " " + OfTheTries
}

// span words an interval of figures: one figure where both ends are written alike.
func span(lo, hi float64) string {
	if a, b := figure(lo), figure(hi); a != b {
		return a + "–" + b
	}
	return figure(hi)
}

// figure has two significant digits, and from 100 on all before the point.
func figure(v float64) string {
	if v >= 100 {
		return unit.Count(int64(v + 0.5))
	}
	return fmt.Sprintf("%.2g", v)
}
