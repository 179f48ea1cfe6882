package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/target"
)

// choose parses a command line that chooses processes.
func choose(args ...string) (t target.Choice, remarks []string, err error) {
	app := &cli.App{Writer: io.Discard, ErrWriter: io.Discard, ExitErrHandler: func(*cli.Context, error) {},
		Commands: []*cli.Command{{Name: "attach", Flags: chooseFlags(), OnUsageError: onUsageError,
			Action: func(c *cli.Context) error { t, remarks, err = choice(c); return err }}}}
	err = app.Run(append([]string{"pinwatch", "attach"}, args...))
	return t, remarks, err
}

func TestChoice(t *testing.T) {
	got, remarks, err := choose("-p", "10,11", "-p", "12", "-p", "10", "--name", `a{1,2}`, "--name", "b",
		"--cgroup", "/sys/fs/cgroup/cpu,cpuacct/x", "--container", "web", "--container", "db", "--unit", "nginx", "--all-go")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.PIDs, []int{10, 11, 12}) || len(remarks) != 1 ||
		!strings.Contains(remarks[0], "10 is in the list twice") {
		t.Errorf("PIDs %d, remarks %q", got.PIDs, remarks)
	}
	if fmt.Sprint(got.Names) != "[a{1,2} b]" || !slices.Equal(got.Cgroups, []string{"/sys/fs/cgroup/cpu,cpuacct/x"}) ||
		!slices.Equal(got.Containers, []string{"web", "db"}) || !slices.Equal(got.Units, []string{"nginx"}) || !got.AllGo {
		t.Errorf("%+v", got)
	}
	if got, _, err := choose("--name", "x"); err != nil || len(got.PIDs) != 0 || !got.Watches() {
		t.Errorf("%+v, %v", got, err)
	}
	if got, _, err := choose("-p", "7"); err != nil || got.Watches() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestChoiceRefused(t *testing.T) {
	for _, c := range []struct {
		want string
		args []string
	}{
		{"-p PID is missing", nil},
		{"-p PID is missing", []string{"-p", ""}},
		{`-p "x": want the PID of a process`, []string{"-p", "1,x"}},
		{`-p "0": want the PID of a process`, []string{"-p", "0"}},
		{`--name "a(": not a regular expression: missing closing )`, []string{"--name", "a("}},
		{`--name "a[z-b]": not a regular expression: invalid character class range: z-b, at character 3`,
			[]string{"--name", "a[z-b]"}},
		{`--unit us: it names a unit of systemd; for times in columns it is --time-unit us`, []string{"--unit", "us"}},
		{`--name "": an empty pattern`, []string{"--name", ""}},
	} {
		_, _, err := choose(c.args...)
		_, usage := err.(usageError)
		if !usage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
	}
}
