package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/text"
)

// groupWriter writes what was observed of several processes. It keeps no report.
type groupWriter interface {
	// Process writes the report of a process that was observed to its end.
	Process(r *report.Report) error
	// Close writes the summary of all processes, which comes last.
	Close(s *report.Summary) error
}

// group is the output for several processes.
func (o *output) group(verbose bool) groupWriter {
	if o.sink != nil {
		return sinkGroup{o.sink}
	}
	switch o.format {
	case "ndjson":
		return ndjsonGroup{o.report}
	case "json":
		return jsonGroup{report.NewGroupJSON(o.report)}
	}
	page := o.text
	page.Verbose = verbose
	return textGroup{o.report, page}
}

// textGroup writes the summary alone.
type textGroup struct {
	w    io.Writer
	page text.Options
}

func (g textGroup) Process(*report.Report) error { return nil }

func (g textGroup) Close(s *report.Summary) error {
	return explainWrite(text.WriteSummary(g.w, s, g.page))
}

// sinkGroup hands the summary on.
type sinkGroup struct{ sink sink }

func (g sinkGroup) Process(*report.Report) error { return nil }

func (g sinkGroup) Close(s *report.Summary) error { return g.sink(nil, s) }

// ndjsonGroup writes a line for each process, then one for the summary.
type ndjsonGroup struct{ w io.Writer }

func (g ndjsonGroup) Process(r *report.Report) error { return explainWrite(report.WriteNDJSON(g.w, r)) }

func (g ndjsonGroup) Close(s *report.Summary) error {
	return explainWrite(report.WriteSummaryNDJSON(g.w, s))
}

// jsonGroup writes one object.
type jsonGroup struct{ *report.GroupJSON }

func (g jsonGroup) Process(r *report.Report) error { return explainWrite(g.Report(r)) }

func (g jsonGroup) Close(s *report.Summary) error { return explainWrite(g.GroupJSON.Close(s)) }

// Files of a directory of reports, beside those of processes.
const (
	summaryJSON = "summary.json"
	summaryText = "summary.txt"
)

// isDirectory reports whether --out names a directory: one that exists, or a name that ends in /.
func isDirectory(out string) bool {
	if strings.HasSuffix(out, "/") {
		return true
	}
	st, err := os.Stat(out)
	return err == nil && st.IsDir()
}

// directoryGroup writes files into a directory: one for each process, and the summary in two formats.
type directoryGroup struct {
	root    *os.Root // no file name, whatever a process is called, leads out of it
	name    string
	created bool // the directory was not there before
	wrote   bool
}

// openDirectory opens --out DIR/ before anything is attached, and makes it if only its last part is missing. A
// directory with a summary is refused: its files would be mixed up with those of another observation.
func openDirectory(name string) (*directoryGroup, error) {
	g := &directoryGroup{name: name}
	err := os.Mkdir(name, 0o755)
	g.created = err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("--out: %w", err)
	}
	if g.root, err = os.OpenRoot(name); err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	for _, file := range []string{summaryJSON, summaryText} {
		if _, err := g.root.Lstat(file); err == nil {
			return nil, errors.Join(fmt.Errorf("--out %s: it holds the reports of another observation (%s): name another "+
				"directory, or remove them", name, file), g.root.Close())
		}
	}
	return g, nil
}

func (g *directoryGroup) Process(r *report.Report) error {
	return g.write(processFile(r), func(w io.Writer) error { return report.WriteJSON(w, r) })
}

func (g *directoryGroup) Close(s *report.Summary) error {
	return errors.Join(
		g.write(summaryJSON, func(w io.Writer) error { return report.WriteSummaryJSON(w, s) }),
		g.write(summaryText, func(w io.Writer) error { return text.WriteSummary(w, s, text.Options{Verbose: true}) }),
	)
}

// close releases the directory, and removes it if it was made for nothing.
func (g *directoryGroup) close() error {
	err := g.root.Close()
	if g.created && !g.wrote {
		err = errors.Join(err, os.Remove(g.name))
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// write writes a file that is not there yet. One that could not be written in full is removed: it would
// look like a report.
func (g *directoryGroup) write(name string, write func(io.Writer) error) error {
	f, err := g.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	g.wrote = true
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("--out %s: %w", name, errors.Join(err, g.root.Remove(name)))
	}
	return nil
}

// longestExe is the part of an executable's name that is in the name of its report's file.
const longestExe = 64

// processFile is the name of a report's file: the executable, the PID, and the begin of the window, which
// two programs of one process do not share.
func processFile(r *report.Report) string {
	exe := ""
	if r.Target.Exe != nil {
		exe = (*r.Target.Exe)[strings.LastIndexByte(*r.Target.Exe, '/')+1:]
	}
	exe = cmp.Or(exe, "unknown")
	safe := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' {
			return c
		}
		return '_'
	}, exe[:min(len(exe), longestExe)])
	if safe[0] == '.' || safe[0] == '-' { // hidden, or a flag
		safe = "_" + safe[1:]
	}
	return fmt.Sprintf("%s-%d-%d.json", safe, r.Target.PID, r.Window.StartNS)
}

// say prints one line for people, in the place of the progress.
func (r *group) say(format string, args ...any) {
	fmt.Fprint(r.err, r.progress.erase(), "pinwatch: ", fmt.Sprintf(format, args...), "\n")
}

// openOutput opens where the reports go. close is to be called in any case.
func (r *group) openOutput(s streams) (close func() error, err error) {
	if r.o.outFile != "" && isDirectory(r.o.outFile) {
		dir, err := openDirectory(r.o.outFile)
		if err != nil {
			return nil, err
		}
		r.out = dir
		return dir.close, nil
	}
	if r.single, err = openOutput(s, r.o); err != nil {
		return nil, err
	}
	r.out = r.single.group(r.o.verbose)
	return r.single.close, nil
}

// holds reports whether the only process is shown as one that was attached to.
func (r *group) holds() bool {
	return r.single != nil && (r.o.format == "text" || r.o.format == "json" && r.g.start != nil)
}
