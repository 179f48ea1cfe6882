package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/unit"
)

func newEnvironment(meta VerdictsMeta) Environment {
	e := Environment{Settings: map[string]string{}, Cleared: map[string]string{}, CPUs: meta.Limits.CPUs,
		Notes: append([]string{}, meta.Notes...)}
	maps.Copy(e.Settings, meta.Settings)
	maps.Copy(e.Cleared, meta.Cleared)
	if meta.Limits.Known {
		e.CgroupLimits = &[]CgroupLimit{}
		for _, l := range meta.Limits.Cgroup {
			*e.CgroupLimits = append(*e.CgroupLimits, CgroupLimit(l))
		}
	}
	return e
}

// Words describes the environment: each part is a clause.
func (e *Environment) Words() (parts []string) {
	if e.CPUs != nil {
		parts = append(parts, "workloads on CPUs "+unit.CPUs(e.CPUs))
	}
	switch {
	case e.CgroupLimits == nil:
		parts = append(parts, "cgroup limits not known")
	case len(*e.CgroupLimits) == 0:
		parts = append(parts, "no cgroup limits")
	default:
		for _, l := range *e.CgroupLimits {
			parts = append(parts, l.File+" "+l.Value)
		}
	}
	if len(e.Cleared) > 0 {
		parts = append(parts, "not handed to the workloads: "+settingsWords(e.Cleared))
	}
	return parts
}

// settings are the lines at the top that name what else than the release the verdicts are about.
func (v *Verdicts) settings() (lines []string) {
	if h := v.Environment.Handed(); h != "" {
		lines = append(lines, "The workloads ran with "+h+": the verdicts are about that.")
	}
	return append(lines, v.Environment.Notes...)
}

// Handed are the settings of the Go runtime that the workloads got, as they are typed before a
// command; "" = none.
func (e *Environment) Handed() string {
	if len(e.Settings) == 0 {
		return ""
	}
	return settingsWords(e.Settings)
}

// Field is a line of a citation.
type Field struct{ Name, Text string }

// Citation are the parts of a row that a reader needs who cites it, besides its verdict and its
// numbers.
func (row *StatementVerdict) Citation() (fields []Field) {
	add := func(name, text string) {
		if text != "" {
			fields = append(fields, Field{name, text})
		}
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	add("true", text(row.Corrected))
	add("effect", text(row.Effect))
	add("interval", row.interval())
	if row.Evidence.Dropped > 0 {
		add("dropped", unit.Count(row.Evidence.Dropped)+" measured and left out")
	}
	if original := text(row.Evidence.Original); original != "" {
		add("spec", "“"+original+"”")
	}
	add("see", strings.Join(row.See, ", "))
	for _, p := range row.Evidence.Source {
		add("source", p.String())
	}
	return fields
}

// interval words the confidence interval, with what it is of and the number of tries; "" = there is
// none, or it is of one reading of a source.
func (row *StatementVerdict) interval() string {
	i := row.Evidence.Interval
	if i == nil || i.Lo == nil || i.Hi == nil || row.Evidence.Statistic == nil || row.Evidence.Basis == BySource {
		return ""
	}
	ends := unit.Quantity(*i.Lo, i.Unit) + "–" + unit.Quantity(*i.Hi, i.Unit)
	if i.Unit == "share" {
		ends = unit.ShortPercent(*i.Lo) + "–" + unit.ShortPercent(*i.Hi)
	}
	return fmt.Sprintf("%s: %s, n = %s, %.0f %% confidence", *row.Evidence.Statistic, ends, unit.Count(row.N),
		100*i.Confidence)
}

// cited are the lines of the citation.
func (row *StatementVerdict) cited() (lines []string) {
	for _, f := range row.Citation() {
		lines = append(lines, f.Name+": "+f.Text)
	}
	return lines
}

// ReadInSource is true for a verdict that rests on the runtime's source.
func (row *StatementVerdict) ReadInSource() bool {
	return row.Evidence.Basis == BySource && row.Verdict != contract.NotTestable && row.Verdict != contract.Inconclusive
}

// KindWords is the verdict of a row as people read it, with its basis where that is the source.
func (v *Verdicts) KindWords(row *StatementVerdict) string {
	words := Words(v.Kind(row))
	if row.ReadInSource() {
		words += ", by source"
	}
	return words
}

// reproduce is the command that decides a statement alone, under the same settings.
func reproduce(id string, meta VerdictsMeta) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(meta.Settings)) {
		words = append(words, name+"="+quoted(meta.Settings[name]))
	}
	words = append(words, "pinwatch", "verify", "--only", id)
	for _, o := range meta.Options {
		words = append(words, quoted(o))
	}
	return strings.Join(words, " ")
}

// quoted is a word for a shell.
func quoted(word string) string {
	safe := func(r rune) bool {
		return r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("-_./,=+:@%", r))
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !safe(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// intervalWords are the ends of an interval; "" = none.
func intervalWords(i *contract.Interval) string {
	if i == nil {
		return ""
	}
	return unit.Quantity(i.Lo, i.Unit) + "–" + unit.Quantity(i.Hi, i.Unit)
}

// String is a place as it is cited.
func (p SourcePlace) String() string {
	text := p.File
	if p.Line != nil {
		text = fmt.Sprintf("%s:%d", p.File, *p.Line)
	}
	text += " " + p.Function
	switch {
	case p.Code != nil && p.Absent:
		text += " has no " + *p.Code
	case p.Code != nil:
		text += ": " + *p.Code
	}
	switch {
	case p.Release != nil && p.Line == nil:
		text += " (not so in " + *p.Release + ")"
	case p.Release != nil:
		text += " (" + *p.Release + ")"
	}
	return text
}
