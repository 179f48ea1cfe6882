package text

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// findings writes each finding, its advice and its evidence.
func (p *page) findings(r *report.Report) {
	if len(r.Findings) == 0 {
		p.noFindings(r)
	}
	for _, f := range r.Findings {
		p.line()
		p.wrap(pad(strings.ToUpper(f.Severity), labelWidth), severity(f.Severity), labelIndent, bold,
			[]string{f.Message})
		p.wrap(labelIndent+"→ ", plain, labelIndent+"  ", plain, []string{f.Advice})
		p.field("", dim, append([]string{f.ID}, evidence(f.Evidence)...)...)
	}
	p.judged(r)
}

// notJudged are kinds of findings that were not looked for, for one reason.
type notJudged struct {
	why string
	ids []string
}

// judgedBy divides the kinds of findings into those that were looked for, and the others by reason.
func judgedBy(r *report.Report) (looked []string, not []notJudged) {
	for _, j := range r.Judged {
		if j.Why == nil {
			looked = append(looked, j.ID)
			continue
		}
		i := slices.IndexFunc(not, func(n notJudged) bool { return n.why == *j.Why })
		if i < 0 {
			i = len(not)
			not = append(not, notJudged{why: *j.Why})
		}
		not[i].ids = append(not[i].ids, j.ID)
	}
	return looked, not
}

// noneJudged returns why no kind of finding at all was looked for, "" if some were or there are several
// reasons.
func noneJudged(r *report.Report) string {
	looked, not := judgedBy(r)
	if len(looked) > 0 || len(not) != 1 || r.Counts.LockedThreads == nil {
		return ""
	}
	return not[0].why
}

// judged writes which kinds of findings were looked for, where there is none, and which were not and
// why, always.
func (p *page) judged(r *report.Report) {
	looked, not := judgedBy(r)
	if noneJudged(r) != "" {
		return // noFindings has written it
	}
	if len(r.Findings) == 0 && len(looked) > 0 {
		p.wrap(pad("", labelWidth)+"looked for: ", plain, labelIndent, plain, []string{strings.Join(looked, ", ")})
	}
	for _, n := range not {
		p.wrap(pad("", labelWidth)+"not looked for: ", notice, labelIndent, notice,
			[]string{strings.Join(n.ids, ", ") + ": " + n.why})
	}
}

func (p *page) noFindings(r *report.Report) {
	looked, not := judgedBy(r)
	why := noneJudged(r)
	switch {
	case why != "":
		p.field("findings", notice, "not looked for: "+why)
	case len(looked) == 0 && len(not) > 0:
		p.field("findings", notice, "nothing could be looked for")
	case r.Counts.LockedThreads == nil:
		p.field("findings", notice, "none, but most kinds could not be looked for")
	case r.Lossy():
		p.field("findings", notice, "none that a lossy run can prove")
	default:
		p.field("findings", plain, "nothing found")
	}
}

func severity(word string) style {
	switch word {
	case "error":
		return bad
	case "warn":
		return notice
	}
	return bold
}

// evidence writes the numbers of a finding under their names in JSON. The end of a name gives the
// unit.
func evidence(e map[string]any) (parts []string) {
	for _, key := range slices.Sorted(maps.Keys(e)) {
		if v := e[key]; v != nil && v != false {
			parts = append(parts, quantity(key, v))
		}
	}
	return parts
}

// units are endings of keys that name a unit, and how it is written. The first that fits counts.
var units = []struct {
	suffix string
	write  func(v float64) string
}{
	{"_per_s", func(v float64) string { return unit.Scaled(v) + " per s" }},
	{"_cpu_s_per_hour", func(v float64) string { return unit.Scaled(v) + " s of CPU per hour" }},
	{"_fraction", unit.Percent},
	{"_ns", unit.Duration},
	{"_s", func(v float64) string { return unit.Duration(1e9 * v) }},
}

// quantity writes one key and its value.
func quantity(key string, v any) string {
	number, ok := toFloat(v)
	if !ok {
		return key + " " + strings.Trim(fmt.Sprint(v), "[]")
	}
	for _, u := range units {
		if name, found := strings.CutSuffix(key, u.suffix); found {
			return name + " " + u.write(number)
		}
	}
	if number == math.Trunc(number) {
		return key + " " + strconv.FormatFloat(number, 'f', 0, 64)
	}
	return key + " " + unit.Scaled(number)
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}
