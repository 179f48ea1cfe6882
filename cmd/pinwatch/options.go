package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/goruntime"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/unit"
	"github.com/pinwatch/pinwatch/loader"
)

// options of the commands that observe.
type options struct {
	observe       observe.Config
	format        string       // text, json, ndjson
	outFile       string       // "" = stdout
	readyFile     string       // "" = none
	intervalGiven bool         // -i, not a default
	begin         func() error // called when the observation has begun; nil = nothing
	sink          sink         // takes what was observed instead of a format; nil = none
	verbose       bool
	quiet         bool     // nothing on stderr but errors
	unit          string   // of the columns of times; "" = each time has its own
	failOn        []string // warn, loss, error
}

func observeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "interval", Aliases: []string{"i"},
			Usage: "print a line every `TIME` (ndjson: a report every TIME, default 1s)"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o", "format"}, Value: "text",
			Usage: "`FORMAT` of the report: text, json, or ndjson: a report per interval, the whole last, marked final"},
		&cli.StringFlag{Name: "out",
			Usage: "write the report to `FILE` instead of the terminal; FILE.json, .ndjson and .txt name the format"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"},
			Usage: "text: the whole report, with every population, phase, cause, locked thread and site"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress and no remarks, only errors"},
		&cli.StringFlag{Name: "time-unit",
			Usage: "text: times in columns are plain numbers of this `UNIT`, for sort and awk: us, ms, ns or s"},
		&cli.StringFlag{Name: "fail-on",
			Usage: "`WHAT`, separated by commas, makes the exit code 3: warn (a finding of that severity or above), " +
				"error; or 4: loss (records lost)"},
		&cli.BoolFlag{Name: "sites",
			Usage: "put a breakpoint on runtime.LockOSThread: which functions pin, how often, for how long"},
		&cli.BoolFlag{Name: "light",
			Usage: "hook no system call: slows no other process, but does not measure what begins or ends at one"},
		&cli.BoolFlag{Name: "aggregate",
			Usage: "add context switches up in the kernel instead of sending each: for targets that switch very often"},
		&cli.StringFlag{Name: "ready-file", Usage: "make `FILE`, which must not exist, when the observation begins"},
		&cli.StringFlag{Name: "ring-size", DefaultText: "16M, or less where memory is short",
			Usage: "`BYTES` of the kernel's buffers for events"},
		&cli.StringFlag{Name: "max-rate",
			Usage: "send at most `N` context switches per second, and count the others as lost"},
		&cli.IntFlag{Name: "thread-entries", DefaultText: "room for the target's threads and half as many again",
			Usage: "size `N` of the kernel's table of threads, a power of two: 256 bytes each"},
	}
}

func offsetsFlag() cli.Flag {
	return &cli.StringFlag{Name: "offsets",
		Usage: "read the field offsets of the Go runtime from `FILE`, for releases that pinwatch does not have"}
}

func goVersionFlag() cli.Flag {
	return &cli.StringFlag{Name: "go-version",
		Usage: "the Go `RELEASE` of a packed or obfuscated program that hides it, such as go1.26.8"}
}

// parseRelease reads --go-version; "" = not given.
func parseRelease(c *cli.Context) (string, error) {
	value := c.String("go-version")
	if !c.IsSet("go-version") {
		return "", nil
	}
	release := "go" + strings.TrimPrefix(value, "go")
	if !goruntime.IsRelease(release) {
		return "", usagef("--go-version %s: want a release of Go, such as go1.26.8", strconv.Quote(value))
	}
	return release, nil
}

func parseOptions(c *cli.Context, defaultDuration string) (o options, err error) {
	o.format = formatOf(c, map[string]string{".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".txt": "text"})
	o.verbose, o.quiet, o.unit = c.Bool("verbose"), c.Bool("quiet"), c.String("time-unit")
	o.outFile, o.readyFile = c.String("out"), c.String("ready-file")
	switch o.format {
	case "text", "json", "ndjson":
	default:
		return o, usagef("-o %s: no such format; it is text, json or ndjson", o.format)
	}
	if c.IsSet("out") && o.outFile == "" {
		return o, usagef("--out needs a file name")
	}
	if o.unit != "" && !text.KnownUnit(o.unit) {
		return o, usagef("--time-unit %s: it is us, ms, ns or s", o.unit)
	}
	o.failOn = list(c.String("fail-on"))
	for _, what := range o.failOn {
		if !slices.Contains([]string{"warn", "loss", "error"}, what) {
			return o, usagef("--fail-on %s: it is warn, loss, error, or several separated by commas", what)
		}
	}
	return o, parseObservation(c, &o, defaultDuration)
}

// parseObservation reads what is about observing, and not about what is written.
func parseObservation(c *cli.Context, o *options, defaultDuration string) (err error) {
	o.observe = observe.Config{
		Offsets: c.String("offsets"), ThreadEntries: c.Int("thread-entries"),
		Sites: c.Bool("sites"), Light: c.Bool("light"), Aggregate: c.Bool("aggregate"),
	}
	if o.observe.GoVersion, err = parseRelease(c); err != nil {
		return err
	}
	if err := parseTimes(c, o, defaultDuration); err != nil {
		return err
	}
	if c.IsSet("ring-size") {
		if o.observe.RingBytes, err = parseSize(c.String("ring-size")); err != nil {
			return err
		}
	}
	if n := o.observe.ThreadEntries; c.IsSet("thread-entries") && (n < 1 || n > loader.MaxThreads || n&(n-1) != 0) {
		return usagef("--thread-entries %d: want a power of two from 1 to %d", n, loader.MaxThreads)
	}
	if c.IsSet("max-rate") && o.observe.Aggregate {
		return usagef("--max-rate and --aggregate: switches that are added up are not sent, so there is nothing " +
			"to limit; leave one out")
	}
	if c.IsSet("max-rate") {
		o.observe.MaxRate, err = parseRate(c.String("max-rate"))
	}
	return err
}

// parseTimes reads the duration and the interval.
func parseTimes(c *cli.Context, o *options, defaultDuration string) (err error) {
	duration, interval := defaultDuration, ""
	if c.IsSet("duration") {
		duration = c.String("duration")
	}
	if o.observe.Duration, err = parseDuration("-d", duration, c.IsSet("duration")); err != nil {
		return err
	}
	if o.format == "ndjson" {
		interval = "1s"
	}
	if o.intervalGiven = c.IsSet("interval"); o.intervalGiven {
		interval = c.String("interval")
	}
	if o.observe.Interval, err = parseDuration("-i", interval, c.IsSet("interval")); err != nil {
		return err
	}
	if o.observe.Interval > 0 && o.observe.Interval < observe.MinInterval {
		return usagef("-i %s: too short; the least is %v", interval, observe.MinInterval)
	}
	return nil
}

// failed is the exit code of a report with what --fail-on names: a finding stands though records were
// lost.
func (o options) failed(r *report.Report) error {
	on := func(what string) bool { return slices.Contains(o.failOn, what) }
	for _, f := range r.Findings {
		if on(f.Severity) || f.Severity == "error" && on("warn") {
			return status(exitContract)
		}
	}
	if on("loss") && r.Lossy() {
		return status(exitInconclusive)
	}
	return nil
}

// makeReadyFile makes the file that reports that the window has begun; "" = none. A file that
// exists already is an error: it would have reported that too early.
func makeReadyFile(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("--ready-file: %w", err)
	}
	return nil
}

// maxDuration is far beyond any observation and far below overflow of nanoseconds.
const maxDuration = 10 * 365 * 24 * time.Hour

func parseDuration(flag, value string, given bool) (time.Duration, error) {
	if value == "" && !given {
		return 0, nil
	}
	if value != "" && strings.Trim(value, "0123456789.") == "" { // seconds, as elsewhere
		value += "s"
	}
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		return 0, usagef("%s %s: want seconds or a time with its unit, for instance 10, 500ms or 5m", flag,
			strconv.Quote(value))
	case d <= 0:
		return 0, usagef("%s %s: must be more than zero", flag, value)
	case d > maxDuration:
		return 0, usagef("%s %s: longer than ten years", flag, value)
	}
	return d, nil
}

func parsePID(value string) (int, error) {
	if value == "" {
		return 0, usagef("-p PID is missing: the process to observe")
	}
	pid, err := strconv.ParseInt(value, 10, 32)
	if err != nil || pid <= 0 {
		return 0, usagef("-p %s: want the PID of a process, a number from 1 on", strconv.Quote(value))
	}
	return int(pid), nil
}

// parseRate reads a number of records per second.
func parseRate(value string) (int, error) {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < loader.MinRate {
		return 0, usagef("--max-rate %s: want switches per second, a number from %d on",
			strconv.Quote(value), loader.MinRate)
	}
	return int(n), nil
}

// parseSize reads the size of the ring buffer in bytes.
func parseSize(value string) (int, error) {
	const least, most = 4 << 10, 1 << 30
	n, err := unit.ParseBytes(value)
	if err != nil {
		return 0, usagef("--ring-size: %v", err)
	}
	if n < least || n > most {
		return 0, usagef("--ring-size %s: want between 4K and 1G", strconv.Quote(value))
	}
	return int(n), nil
}
