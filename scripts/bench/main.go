// Bench measures the costs of pinwatch: each of its programs in the kernel, its target, itself and
// other processes, beside the tools that one would use instead. It writes the figures between the
// markers of docs/performance.md and names the peers that are not installed. Run it by make bench,
// as root, on a machine that does nothing else: 30 minutes, or 4 with -short, which only proves
// that it works.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

// bench holds what the parts share.
type bench struct {
	short    bool
	pinwatch string // path
	workload string // path
	dir      string // temporary
	log      io.Writer
}

// part is a section of a document: its name stands in the section's markers.
type part struct {
	name    string
	measure func(*bench, context.Context) (markdown string, err error)
	perHost bool // a section for each kind of host, in costs
}

var parts = []part{
	{name: "hooks", measure: (*bench).hooks},
	{name: "steps", measure: (*bench).steps, perHost: true},
	{name: "peers", measure: (*bench).peers},
	{name: "correlator", measure: (*bench).correlator},
	{name: "growth", measure: (*bench).growth},
	{name: "tax", measure: (*bench).tax},
	{name: "run", measure: (*bench).started},
}

// costs is the document of the parts that are kept for each kind of host.
const costs = "docs/cost.md"

// place returns the part's document and the name of its section there.
func (p *part) place(out string) (document, section string) {
	if p.perHost {
		return costs, "bench:" + p.name + " " + hostKind(host.Read(os.DirFS("/")))
	}
	return out, "bench:" + p.name
}

func main() {
	b := &bench{log: os.Stderr}
	flag.BoolVar(&b.short, "short", false, "few rounds: to see that it works, not to be published")
	flag.StringVar(&b.pinwatch, "pinwatch", "bin/pinwatch", "the pinwatch to measure")
	only := flag.String("part", "",
		"only parts that match this regular expression: hooks, steps, peers, correlator, growth, tax, run")
	out := flag.String("out", "docs/performance.md", "write the figures into this document, but for those of steps")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx, *only, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the parts one by one and writes each into the document as soon as it has it.
func (b *bench) run(ctx context.Context, only, out string) error {
	re, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("--part: %w", err)
	}
	for _, p := range parts {
		if err := measure.CanReplace(p.place(out)); re.MatchString(p.name) && err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	if b.pinwatch, err = filepath.Abs(b.pinwatch); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "pinwatch-bench-*"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.workload, err = measure.BuildWorkload(ctx, b.dir); err != nil {
		return err
	}
	if err := os.Setenv(bpftraceKeys, bpftraceRoom); err != nil {
		return err
	}
	var errs []error
	for _, p := range parts {
		if !re.MatchString(p.name) || ctx.Err() != nil {
			continue
		}
		began, noise := time.Now(), noise()
		text, err := p.measure(b, ctx)
		if err == nil {
			fmt.Fprintf(b.log, "%s: %.0f s\n", p.name, time.Since(began).Seconds())
			document, section := p.place(out)
			err = measure.Replace(document, section, b.origin(p.name, noise)+"\n\n"+text)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// origin is the line above a part's figures: the command, the machine, and its other load.
func (b *bench) origin(part, noise string) string {
	args, hint := "-part "+part, ""
	if b.short {
		args, hint = args+" -short", ", few rounds"
	}
	h := host.Read(os.DirFS("/"))
	return fmt.Sprintf("*`make bench ARGS=\"%s\"`, %s%s: %d CPUs (%s; virtualization: %s), Linux %s, "+
		"clock source %s; %s.*",
		args, time.Now().UTC().Format(time.DateOnly), hint, h.CPUs, h.CPUModel, h.Virtualization, majorMinor(h.Kernel),
		h.Clocksource, noise)
}

var versionRE = regexp.MustCompile(`^\d+\.\d+`)

// majorMinor is 6.12 for 6.12.43-cloud-amd64.
func majorMinor(release string) string { return versionRE.FindString(release) }
