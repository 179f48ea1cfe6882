package budget

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/report"
)

// object is an object of JSON. Numbers are read from it and not from the Go types, in which a key that
// an older report lacks would be 0.
type object = map[string]any

// Subject is what is compared with budgets: the report of a process, or the summary of many.
type Subject struct {
	Name string

	doc     object
	report  *report.Report  // nil = a summary
	summary *report.Summary // nil = a report
}

// OfReport is a report as a subject.
func OfReport(name string, r *report.Report) (*Subject, error) { return subject(name, r) }

// OfSummary is a summary as a subject.
func OfSummary(name string, s *report.Summary) (*Subject, error) { return subject(name, s) }

func subject(name string, model any) (*Subject, error) {
	text, err := json.Marshal(model)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return newSubject(name, text)
}

// MaxReportBytes is the size of the largest report that is read: those of 10,000 threads have 10 MB.
const MaxReportBytes = 256 << 20

// ReadSubject reads what -o json or -o ndjson wrote of one process, of several, or their summary.
func ReadSubject(name string, r io.Reader) (*Subject, error) {
	limited := &io.LimitedReader{R: r, N: MaxReportBytes + 1}
	dec := json.NewDecoder(limited)
	var last json.RawMessage
	objects := 0
	for ; ; objects++ {
		var next json.RawMessage
		err := dec.Decode(&next)
		if errors.Is(err, io.EOF) && objects > 0 {
			break
		}
		switch {
		case limited.N == 0:
			return nil, fmt.Errorf("%s: larger than %d MiB: no report of pinwatch", name, MaxReportBytes>>20)
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%s: it is empty: want a report of pinwatch, -o json or -o ndjson", name)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("%s: it breaks off: the report was not written to its end", name)
		case err != nil:
			return nil, fmt.Errorf("%s: no report of pinwatch in JSON: %w", name, err)
		}
		last = next
	}
	s, err := newSubject(name, last)
	if err == nil && objects > 1 && s.report != nil && !s.report.Final {
		return nil, fmt.Errorf("%s: it breaks off before the report of the whole observation", name)
	}
	return s, err
}

func newSubject(name string, text []byte) (*Subject, error) {
	var head struct {
		Schema  string          `json:"schema"`
		Summary json.RawMessage `json:"summary"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("%s: no report of pinwatch: %w", name, err)
	}
	s := &Subject{Name: name}
	var model any
	switch head.Schema {
	case report.SchemaID:
		s.report = &report.Report{}
		model = s.report
	case report.GroupID:
		return newSubject(name, head.Summary)
	case report.SummaryID:
		s.summary = &report.Summary{}
		model = s.summary
	default:
		return nil, fmt.Errorf("%s: its schema is %q; want %s, %s or %s", name, head.Schema, report.SchemaID,
			report.SummaryID, report.GroupID)
	}
	if err := errors.Join(json.Unmarshal(text, model), json.Unmarshal(text, &s.doc)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// scope is the part of a subject that one budget is about.
type scope struct {
	doc   object
	lost  string // why numbers may lack something; "" = nothing is lost
	loss  correlate.Loss
	found func(*metric) value // findings
}

// value is what is known of a metric. executable "" = all processes.
func (s *Subject) value(executable string, m *metric) value {
	sc, why := s.scope(executable)
	switch {
	case why != "":
		return unknown("%s", why)
	case m.finding != "":
		v := sc.found(m)
		if sc.lost != "" {
			v.hi, v.lossy, v.why = nil, true, sc.lost
		}
		return v
	case m.cost != nil:
		return sc.costValue(m.cost)
	}
	return sc.number(m)
}

// scope finds the part of the subject, or why it is not there.
func (s *Subject) scope(executable string) (sc scope, why string) {
	if s.report != nil {
		r := s.report
		if executable != "" && (r.Target.Exe == nil || path.Base(*r.Target.Exe) != executable) {
			return sc, "no process of it was observed"
		}
		sc = scope{doc: s.doc, loss: correlate.Loss{Skipped: r.Loss.Skipped}, found: s.foundInReport}
		if r.Lossy() {
			sc.lost = "records were lost"
		}
		return sc, ""
	}
	sc = scope{doc: s.doc, loss: correlate.Loss{Skipped: s.summary.Loss.Skipped}, found: s.foundInSummary,
		lost: s.incomplete()}
	if s.summary.Lossy() && sc.lost == "" {
		sc.lost = "records of some processes were lost"
	}
	if executable == "" {
		return sc, ""
	}
	i := slices.IndexFunc(s.summary.Executables, func(e report.Executable) bool { return e.Name == executable })
	if i < 0 {
		return sc, "no process of it was observed"
	}
	e := &s.summary.Executables[i]
	list, _ := s.doc["executables"].([]any)
	sc.doc, _ = list[i].(object)
	sc.found = func(m *metric) value { return s.foundInExecutable(e, m) }
	if sc.lost = s.incomplete(); e.Lossy > 0 {
		sc.lost = "records of some of its processes were lost"
	}
	return sc, ""
}

// incomplete is why a process may be missing in a summary; "" = none is.
func (s *Subject) incomplete() string {
	switch in := &s.summary.Incomplete; {
	case len(in.Failed) > 0:
		return "some processes could not be observed"
	case in.NoRoom > 0:
		return "there was no room for some processes"
	case s.summary.MissedExecs() > 0:
		return "some processes may not have been seen to begin"
	}
	return ""
}

// notOfRecords are the sections of a report whose numbers do not depend on records.
var notOfRecords = []string{"host", "target", "window", "loss", "observer", "incomplete"}

// number is the value of a number that is in no list.
func (sc *scope) number(m *metric) value {
	for _, section := range []string{"", "counts", "sums"} {
		names := m.path
		if section != "" {
			names = append([]string{section}, names...)
		}
		found, why := lookup(sc.doc, names)
		if found == nil && why == "" {
			continue
		}
		if why != "" {
			return unknown("%s", why)
		}
		sums, _ := sc.doc["sums"].(object)
		missing, _ := sums["unknown"].(object)
		without, _ := missing[m.name].(float64)
		switch {
		case sc.lost != "" && section != "":
			return lacking(*found, sc.lost)
		case sc.lost != "" && !slices.Contains(notOfRecords, names[0]):
			return unknown("%s", sc.lost)
		case section == "sums" && without > 0:
			return atLeast(*found, "%v processes do not have it", without)
		}
		return exactly(*found)
	}
	return unknown("this report does not have it")
}

// lookup finds a number in an object. Both are empty where there is no such key, and why is set where
// its value is not known.
func lookup(o object, names []string) (v *float64, why string) {
	for i, name := range names {
		in, has := o[name]
		switch x := in.(type) {
		case object:
			o = x
			continue
		case float64:
			if i == len(names)-1 {
				return &x, ""
			}
		case nil:
			if has {
				return nil, "not known: " + strings.Join(names[:i+1], ".") + " is null"
			}
		}
		return nil, ""
	}
	return nil, ""
}
