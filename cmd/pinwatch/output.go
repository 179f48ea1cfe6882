package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/term"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/text"
)

// output is where one observation's reports go.
type output struct {
	format  string
	report  io.Writer // the final report, or every ndjson object
	lines   io.Writer // a line per interval
	text    text.Options
	printed int // lines so far

	file    *truncateFirst // nil for the standard streams
	created bool           // the file was not there before
}

// openOutput opens --out before anything is attached, so that no observation is lost to a wrong
// name. An existing file keeps its content until there is a report to replace it.
func openOutput(s streams, o options) (*output, error) {
	out := &output{format: o.format, report: s.out, lines: s.out}
	if o.format == "json" {
		out.lines = s.err // stdout is one object
	}
	out.text = textOptions(s.out)
	out.text.Verbose = o.verbose
	if o.outFile == "" {
		return out, nil
	}
	// O_NONBLOCK: a FIFO without a reader is an error, not a wait.
	const flags = os.O_WRONLY | syscall.O_NONBLOCK
	f, err := os.OpenFile(o.outFile, flags|os.O_CREATE|os.O_EXCL, 0o644)
	out.created = err == nil
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(o.outFile, flags, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	out.file = &truncateFirst{f: f}
	out.report, out.text = out.file, text.Options{Verbose: o.verbose}
	return out, nil
}

// textOptions: colour and the terminal's width only on a terminal.
func textOptions(w io.Writer) text.Options {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return text.Options{}
	}
	o := text.Options{Color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width < text.DefaultWidth {
		o.Width = width
	}
	return o
}

// truncateFirst empties a regular file at the first write.
type truncateFirst struct {
	f    *os.File
	done bool
}

func (t *truncateFirst) Write(b []byte) (int, error) {
	if !t.done {
		t.done = true
		if st, err := t.f.Stat(); err == nil && st.Mode().IsRegular() {
			if err := t.f.Truncate(0); err != nil {
				return 0, err
			}
		}
	}
	return t.f.Write(b)
}

func (o *output) interval(r *report.Report) error {
	if o.format == "ndjson" {
		return explainWrite(report.WriteNDJSON(o.report, r))
	}
	if o.printed%headerEvery == 0 {
		if err := text.WriteLineHeader(o.lines); err != nil {
			return explainWrite(err)
		}
	}
	o.printed++
	return explainWrite(text.WriteLine(o.lines, r))
}

// headerEvery is the number of lines under one header, so that it does not scroll out of sight.
const headerEvery = 20

// final writes the report of the whole observation. In ndjson the intervals are the report.
func (o *output) final(r *report.Report) error {
	switch o.format {
	case "ndjson":
		return nil
	case "json":
		return explainWrite(report.WriteJSON(o.report, r))
	}
	return explainWrite(text.WriteReport(o.report, r, o.text))
}

func explainWrite(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("the reader of the report is gone: %w", err)
	}
	return err
}

func (o *output) close() error {
	if o.file == nil {
		return nil
	}
	err := o.file.f.Close()
	if o.created && !o.file.done { // there was no report
		err = errors.Join(err, os.Remove(o.file.f.Name()))
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}
