package compare

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/perf/benchfmt"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/unit"
)

// Read reads one side: a directory with a report in each file, a file with reports, or Go benchmark
// text. Errors name the file and the line.
func Read(path string) (*Side, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	s := &Side{name: path}
	files := []string{path}
	if info.IsDir() {
		if files, err = s.list(path); err != nil {
			return nil, err
		}
	}
	read := make([]*Side, len(files))
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, file := range files {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			b, err := os.ReadFile(file)
			if err == nil {
				read[i], err = parse(file, b)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return nil, errs[i]
	}
	for _, one := range read {
		s.runs, s.leftOut = append(s.runs, one.runs...), append(s.leftOut, one.leftOut...)
		s.reports = s.reports || one.reports
	}
	s.dropCopies()
	return s, nil
}

// list lists the files of a directory that may be reports or benchmark text.
func (s *Side) list(path string) (files []string, err error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var others []string
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".json", ".ndjson", ".txt":
			files = append(files, filepath.Join(path, e.Name()))
		default:
			others = append(others, e.Name())
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no file in it is called *.json, *.ndjson or *.txt: want one report for each run", path)
	}
	if others != nil {
		s.notes = append(s.notes, fmt.Sprintf("%s: not read, because of the name: %s", path, some(others)))
	}
	return files, nil
}

// parse reads the runs of one file.
func parse(file string, b []byte) (*Side, error) {
	if rest := bytes.TrimLeft(b, " \t\r\n"); len(rest) > 0 && rest[0] == '{' {
		return parseReports(file, b)
	}
	return parseBenchmarks(file, b)
}

// parseReports reads one report after another.
func parseReports(file string, b []byte) (*Side, error) {
	s := &Side{reports: true}
	var docs []*document
	var lines []int
	line, at := 1, 0
	for dec := json.NewDecoder(bytes.NewReader(b)); ; {
		skip := len(b) - at - len(bytes.TrimLeft(b[at:], " \t\r\n"))
		line += bytes.Count(b[at:at+skip], []byte("\n"))
		at += skip
		var d document
		err := dec.Decode(&d)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, whereJSON(file, line, b[at:], err)
		}
		if d.Schema != report.SchemaID {
			return nil, otherSchema(file, line, d.Schema)
		}
		docs, lines = append(docs, &d), append(lines, line)
		line += bytes.Count(b[at:dec.InputOffset()], []byte("\n"))
		at = int(dec.InputOffset())
	}
	for i, d := range docs {
		where := file
		if len(docs) > 1 {
			where = fmt.Sprintf("%s:%d", file, lines[i])
		}
		switch why := notARun(docs, i); {
		case why != "":
			s.leftOut = append(s.leftOut, report.LeftOut{Where: where, Why: why})
		default:
			s.runs = append(s.runs, d.run(where))
		}
	}
	return s, nil
}

// whereJSON gives the file and the line to an error in the JSON text that begins at a line.
func whereJSON(file string, line int, text []byte, err error) error {
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	at, what := int64(len(text)), err.Error()
	switch e := json.Unmarshal(text, &document{}); { // its offsets are within the text, Decode's are not
	case errors.Is(err, io.ErrUnexpectedEOF):
		what = "the report ends in the middle"
	case errors.As(e, &syntax):
		at = syntax.Offset
	case errors.As(e, &typed):
		at, what = typed.Offset, fmt.Sprintf("%q is a %s", typed.Field, typed.Value)
	}
	at = min(max(at, 0), int64(len(text)))
	return fmt.Errorf("%s:%d: %s", file, line+bytes.Count(bytes.TrimRight(text[:at], " \t\r\n"), []byte("\n")), what)
}

func otherSchema(file string, line int, schema string) error {
	hint := "it can't be compared with them"
	switch schema {
	case report.GroupID, report.SummaryID:
		hint = "observe one process, or give each report a file of its own"
	case "":
		return fmt.Errorf("%s:%d: no report of pinwatch: it has no \"schema\"; want %s", file, line, report.SchemaID)
	}
	return fmt.Errorf("%s:%d: its schema is %.60q, and runs are compared from %s only: %s", file, line, schema,
		report.SchemaID, hint)
}

// notARun is why a report of a file is no run, "" where it is one.
func notARun(docs []*document, i int) string {
	d := docs[i]
	if d.lossy() {
		return "records were lost: raise --ring-size"
	}
	if d.Final {
		return ""
	}
	why := ""
	for j, other := range docs {
		if j == i || other.Target.PID != d.Target.PID {
			continue
		}
		if other.Final && other.Window.StartNS <= d.Window.StartNS && d.Window.EndNS <= other.Window.EndNS {
			return "an interval of the run whose end is in the file"
		}
		if other.Window.StartNS == d.Window.EndNS || other.Window.EndNS == d.Window.StartNS {
			why = "an interval of a run whose end is not in the file"
		}
	}
	return why
}

// parseBenchmarks reads Go benchmark text. The n-th line of a benchmark belongs to the n-th run.
func parseBenchmarks(file string, b []byte) (*Side, error) {
	s := &Side{}
	seen := map[string]int{}
	r := benchfmt.NewReader(bytes.NewReader(b), file)
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, rec
		case *benchfmt.Result:
			id := string(rec.Name)
			if pkg := rec.GetConfig("pkg"); pkg != "" {
				id = pkg + "." + id
			}
			n := seen[id]
			if seen[id]++; n == len(s.runs) {
				_, line := rec.Pos()
				s.runs = append(s.runs, &run{where: fmt.Sprintf("%s:%d", file, line), values: map[key]value{},
					environment: map[string]string{"CPU": cmp.Or(rec.GetConfig("cpu"), rec.GetConfig("goarch"), unknown),
						"kernel": cmp.Or(rec.GetConfig("kernel"), unknown), "Go release": cmp.Or(rec.GetConfig("go"), unknown)}})
			}
			for _, v := range rec.Values {
				if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
					_, line := rec.Pos()
					return nil, fmt.Errorf("%s:%d: %v %s is no measurement", file, line, v.Value, v.Unit)
				}
				s.runs[n].set(key{id: id, statistic: "value", unit: v.Unit}, value{v.Value, 1})
			}
		}
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(s.runs) == 0 {
		return nil, fmt.Errorf("%s: neither a report of pinwatch in JSON nor the result of a Go benchmark is in it", file)
	}
	return s, nil
}

// dropCopies leaves out a run that is there twice, as after a copy: it must not count twice.
func (s *Side) dropCopies() {
	first := map[string]string{}
	s.runs = slices.DeleteFunc(s.runs, func(r *run) bool {
		if r.id == "" {
			return false
		}
		if first[r.id] == "" {
			first[r.id] = r.where
			return false
		}
		s.leftOut = append(s.leftOut, report.LeftOut{Where: r.where, Why: "the same run as " + first[r.id]})
		return true
	})
}

// some lists the first of many names.
func some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %s", strings.Join(names[:most], ", "), unit.Plural(len(names)-most, "other"))
}
