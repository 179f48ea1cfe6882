package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/text"
	"github.com/pinwatch/pinwatch/internal/target"
)

// values are those of a flag that may be given more than once. A comma does not part them, as it does in
// cli.StringSlice: it may be in a regular expression and in the path of a cgroup.
type values []string

func (v *values) Set(value string) error { *v = append(*v, value); return nil }

func (v *values) String() string { return strings.Join(*v, " ") }

// valuesOf are the values of a flag of chooseFlags.
func valuesOf(c *cli.Context, name string) []string {
	v, ok := c.Generic(name).(*values)
	if !ok {
		return nil
	}
	return *v
}

// chooseFlags choose the processes to observe.
func chooseFlags() []cli.Flag {
	many := func(name, usage string) cli.Flag {
		return &cli.GenericFlag{Name: name, Value: &values{}, Usage: usage}
	}
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "pid", Aliases: []string{"p"},
			Usage: "`PID` of a process, or several separated by commas; may be repeated, as the next four"},
		many("name", "processes with the regular expression `REGEX` in their program's name, now and later"),
		many("cgroup", "processes in the cgroup `PATH` and those below it, now and later"),
		many("container", "processes in the container `NAME`, or its id, or the pod of that name, now and later"),
		many("unit", "processes of the systemd unit `NAME`, now and later"),
		&cli.BoolFlag{Name: "all-go", Usage: "every Go process of this machine, now and later"},
		&cli.BoolFlag{Name: "follow", Usage: "also the processes that the chosen ones start"},
	}
}

// choice reads chooseFlags. remarks are about what was typed without need.
func choice(c *cli.Context) (t target.Choice, remarks []string, err error) {
	if c.IsSet("pid") {
		if t.PIDs, remarks, err = target.ParsePIDs(c.StringSlice("pid")); err != nil {
			return t, nil, usageError{err}
		}
	}
	if t.Names, err = target.ParseNames("name", valuesOf(c, "name")); err != nil {
		return t, nil, usageError{err}
	}
	for _, name := range valuesOf(c, "unit") {
		if text.KnownUnit(name) {
			return t, nil, usagef("--unit %s: it names a unit of systemd; for times in columns it is --time-unit %s", name, name)
		}
	}
	t.Cgroups, t.Containers = valuesOf(c, "cgroup"), valuesOf(c, "container")
	t.Units, t.AllGo = valuesOf(c, "unit"), c.Bool("all-go")
	if len(t.PIDs) == 0 && !t.Watches() {
		return t, nil, usagef("-p PID is missing: the process to observe; " +
			"--name, --cgroup, --container, --unit and --all-go choose processes otherwise")
	}
	return t, remarks, nil
}

// setPlace fills in where a process runs.
func setPlace(t *report.Target, p *target.Process) {
	if n := len(p.NSPIDs); n > 0 {
		innermost := int(p.NSPIDs[n-1])
		t.NSPID = &innermost
	}
	known := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	t.Cgroup = known(p.Cgroup)
	if c := p.Container(); c != nil {
		t.Container = &report.Container{ID: known(c.ID), Name: known(c.Name), Runtime: known(c.Runtime),
			PodUID: known(c.PodUID), Unit: known(p.Unit)}
	}
}
