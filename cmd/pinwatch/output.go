package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
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
	sink    sink

	file    *truncateFirst // nil for the standard streams
	created bool           // the file was not there before
}

// sink takes the report of one process, or the summary of several; the other one is nil.
type sink func(*report.Report, *report.Summary) error

// openOutput opens --out before anything is attached, so that no observation is lost to a wrong
// name. An existing file keeps its content until there is a report to replace it.
func openOutput(s streams, o options) (*output, error) {
	out := &output{format: o.format, report: s.out, lines: s.out, text: s.textOptions(s.out), sink: o.sink}
	if out.text.Unit = o.unit; o.format == "json" {
		out.lines = s.err // stdout is one object
	}
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
	out.report, out.text = out.file, s.textOptions(out.file)
	out.text.Unit = o.unit
	return out, nil
}

// look is how text looks on every stream.
type look struct {
	color string // auto, always, never
	ascii bool
}

func lookFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "color", Value: "auto",
			Usage: "`WHEN` text has colours: auto (on a terminal, unless NO_COLOR is set), always or never"},
		&cli.BoolFlag{Name: "ascii", Usage: "text in ASCII, as in the locales C and POSIX"},
	}
}

func parseLook(c *cli.Context) (look, error) {
	l := look{color: c.String("color"), ascii: c.Bool("ascii") || asciiLocale()}
	if l.color != "auto" && l.color != "always" && l.color != "never" {
		return l, usagef("--color %s: it is auto, always or never", l.color)
	}
	return l, nil
}

// asciiLocale is true where the locale of characters is C or POSIX (locale(7)). Where none is set most
// terminals show UTF-8.
func asciiLocale() bool {
	locale := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))
	return locale == "C" || locale == "POSIX"
}

// textOptions: by default there is colour on a terminal only, and the page is as wide as a terminal.
func (s streams) textOptions(w io.Writer) text.Options {
	o := text.Options{ASCII: s.look.ascii, Color: s.look.color == "always"}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return o
	}
	if s.look.color == "auto" {
		o.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		o.Width = min(max(width, text.MinWidth), text.MaxWidth)
	}
	return o
}

// formatOf is the format that a command writes to a file: what -o names, else what the file's name ends
// with, else the first. An extension of no format is no error: people name files as they like.
func formatOf(c *cli.Context, extensions map[string]string) string {
	if format := extensions[strings.ToLower(filepath.Ext(c.String("out")))]; format != "" && !c.IsSet("output") {
		return format
	}
	return c.String("output")
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
		if err := text.WriteLineHeader(o.lines, o.text); err != nil {
			return explainWrite(err)
		}
	}
	o.printed++
	return explainWrite(text.WriteLine(o.lines, r, o.text))
}

// headerEvery is the number of lines under one header, so that it does not scroll out of sight.
const headerEvery = 20

// final writes the report of the whole observation.
func (o *output) final(r *report.Report, verbose bool) error {
	if o.sink != nil {
		return o.sink(r, nil)
	}
	switch o.format {
	case "ndjson":
		r.Final = true
		return explainWrite(report.WriteNDJSON(o.report, r))
	case "json":
		return explainWrite(report.WriteJSON(o.report, r))
	}
	page := o.text
	page.Verbose = verbose
	return explainWrite(text.WriteReport(o.report, r, page))
}

// errReaderGone means that the reader of the output has closed its end.
var errReaderGone = errors.New("the reader of the report is gone")

func explainWrite(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%w: %w", errReaderGone, err)
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
