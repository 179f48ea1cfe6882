package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/toolchain"
	"github.com/pinwatch/pinwatch/internal/unit"
	"github.com/pinwatch/pinwatch/internal/verify"
)

// parseGoroot returns the Go tree of --goroot; "" without it.
func parseGoroot(c *cli.Context) (string, error) {
	if !c.IsSet("goroot") {
		return "", nil
	}
	if c.IsSet("go") {
		return "", usagef("--go and --goroot: the workloads are built by one of them")
	}
	if c.String("goroot") == "" {
		return "", usagef("--goroot needs the folder of a Go tree")
	}
	goroot, err := filepath.Abs(c.String("goroot"))
	if err != nil {
		return "", fmt.Errorf("--goroot: %w", err)
	}
	if _, err := toolchain.Version(c.Context, goroot); errors.Is(err, toolchain.ErrNoTree) {
		return "", usagef("--goroot %w", err)
	} else if err != nil {
		return "", fmt.Errorf("--goroot: %w", err)
	}
	return goroot, nil
}

// parseHanded reads the variables that the workloads get.
func parseHanded(value string) ([]string, error) {
	names := list(value)
	if names == nil {
		return nil, usagef("--env needs names of variables, for instance GODEBUG")
	}
	for _, name := range names {
		_, set := os.LookupEnv(name)
		switch {
		case strings.Contains(name, "="):
			return nil, usagef("--env %s: want the name alone; its value is that of pinwatch's own environment",
				strconv.Quote(name))
		case !verify.IsSetting(name):
			return nil, usagef("--env %s: the workloads get it anyway; only names that begin with GO are held back",
				strconv.Quote(name))
		case !slices.Contains(verify.RuntimeSettings, name):
			return nil, usagef("--env %s: only the go command reads it, and builds the workloads without it; the runtime "+
				"reads %s", strconv.Quote(name), strings.Join(verify.RuntimeSettings, ", "))
		case !set:
			return nil, usagef("--env %s: it is not set", name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func parseAllowed(c *cli.Context) (a report.Allowed, err error) {
	a.Host, a.Release = c.Bool("allow-other-host"), c.Bool("allow-other-release")
	for _, name := range []string{"allow-inconclusive", "allow-other-host", "allow-other-release"} {
		if c.IsSet(name) && !c.IsSet("expect") {
			return a, usagef("--%s needs --expect", name)
		}
	}
	n := c.String("allow-inconclusive")
	if a.Inconclusive, err = strconv.Atoi(n); err != nil || a.Inconclusive < 0 {
		return a, usagef("--allow-inconclusive %s: want a number from 0 on", strconv.Quote(n))
	}
	return a, nil
}

// usableCPUs is an error where the machine lacks one of the CPUs, or does not let pinwatch use it.
func usableCPUs(cpus []int, root fs.FS) error {
	online, err := fs.ReadFile(root, "sys/devices/system/cpu/online")
	if err != nil {
		return fmt.Errorf("--cpus: %w", err)
	}
	usable := procfs.ParseCPUs(strings.TrimSpace(string(online)))
	if set := procfs.ParseCPUs(procfs.CPUSet(root, "self")); set != nil {
		usable = slices.DeleteFunc(usable, func(cpu int) bool { return !slices.Contains(set, cpu) })
	}
	for _, cpu := range cpus {
		if !slices.Contains(usable, cpu) {
			return usagef("--cpus: pinwatch can't use CPU %d; it may use %s", cpu, unit.CPUs(usable))
		}
	}
	return nil
}

// words are the options that change how a statement is decided, as they are typed.
func (o *verifyOptions) words(release string) (words []string) {
	if release != "" {
		words = append(words, "--go", "go"+release)
	}
	if o.goroot != "" {
		words = append(words, "--goroot", o.goroot)
	}
	if o.handed != nil {
		words = append(words, "--env", strings.Join(o.handed, ","))
	}
	if o.cpus != nil {
		words = append(words, "--cpus", unit.CPUs(o.cpus))
	}
	if o.repeat > 1 {
		words = append(words, "--repeat", strconv.Itoa(o.repeat))
	}
	return words
}

// cite finds the places in the release's source that explain the verdicts, where this machine has
// the source, and notes what the settings do not do.
func cite(lo verify.Options, goVersion string, statements []contract.Statement, given map[string]string) (
	sources map[string][]report.SourcePlace, notes []string,
) {
	// An interrupted run is cited too: this takes a moment, and fetches nothing.
	tree := verify.LocalSource(context.Background(), lo, goVersion)
	sources = map[string][]report.SourcePlace{}
	for _, s := range statements {
		places, err := verify.Places(s.Citation(), goVersion, tree)
		if err != nil {
			notes = append(notes, "the source of "+goVersion+" can't be read: "+oneLine(err))
			break
		}
		for _, p := range places {
			at := report.SourcePlace{File: p.File, Function: p.Function, Absent: p.Without}
			if p.Code != "" {
				at.Code = &p.Code
			}
			if tree != nil {
				at.Release = &goVersion
			}
			if p.Line > 0 {
				at.Line = &p.Line
			}
			sources[s.ID] = append(sources[s.ID], at)
		}
	}
	debug, ok := given["GODEBUG"]
	switch {
	case !ok:
	case tree == nil:
		notes = append(notes, "whether "+goVersion+" knows every setting of GODEBUG is not known: its source is not here")
	default:
		unknown, err := verify.UnknownDebug(tree, debug)
		if err != nil {
			notes = append(notes, "the settings of GODEBUG are not checked: "+oneLine(err))
		}
		for _, name := range unknown {
			notes = append(notes, fmt.Sprintf("GODEBUG: the runtime of %s has no setting %s: it changes nothing here",
				goVersion, strconv.Quote(name)))
		}
	}
	return sources, notes
}
