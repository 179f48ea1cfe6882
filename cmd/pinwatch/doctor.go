package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/loader"
)

func doctorCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:     "doctor",
		Usage:    "check what this kernel and these capabilities allow, and what would help",
		Category: "this machine, this tool",
		Description: `It tries each thing that an observation needs, and at last observes pinwatch itself.
Exit code 0 when processes can be observed, 1 when not.

Example:
  sudo pinwatch doctor`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o", "format"}, Usage: "`FORMAT`: text or json", Value: "text"},
		},
		Before:          noArguments,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			format := c.String("output")
			if format != "text" && format != "json" {
				return usagef("-o %s: no such format; it is text or json", format)
			}
			return doctor(s.out, format)
		},
	}
}

// doctorRow is a row of doctor -o json.
type doctorRow struct {
	Name   string  `json:"name"`
	State  string  `json:"state"` // yes, no (nothing can be observed), without (it works without it), unknown
	Detail string  `json:"detail"`
	Effect *string `json:"effect"`
	Remedy *string `json:"remedy"`
}

var errNotReady = errors.New("processes can't be observed here: see the rows that begin with no")

func doctor(w io.Writer, format string) error {
	checks := loader.Diagnose()
	write := writeDoctorText
	if format == "json" {
		write = writeDoctorJSON
	}
	if err := write(w, checks); err != nil {
		return explainWrite(err)
	}
	for _, c := range checks {
		if c.State == loader.No {
			return errNotReady
		}
	}
	return nil
}

// doctorWords are the states as answers.
var doctorWords = map[loader.State]string{
	loader.Yes: "yes", loader.No: "no", loader.Without: "partly", loader.Unknown: "unknown",
}

func writeDoctorText(w io.Writer, checks []loader.Check) error {
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "%-8s%s\n", doctorWords[c.State], cmp.Or(c.Sentence, c.Name+": "+c.Detail))
		if c.Effect != "" {
			fmt.Fprintf(&b, "%-8slost: %s\n", "", c.Effect)
		}
		if c.Remedy != "" && c.Command == "" && len(c.Missing) == 0 {
			fmt.Fprintf(&b, "%-8shelps: %s\n", "", c.Remedy)
		}
	}
	if command := remedies(checks); command != "" {
		fmt.Fprintf(&b, "\nAll of it comes with sudo. Without sudo, most of it comes with this command:\n  %s\n", command)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// granted are the capabilities that a binary is given. CAP_SYS_ADMIN is not among them: it permits nearly
// everything, for little.
var granted = []string{"CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"}

// remedies joins all commands that help into one; "" where none does. setcap replaces what the file has,
// so one with all capabilities stands for all.
func remedies(checks []loader.Check) string {
	var commands []string
	lacks := false
	for _, c := range checks {
		if c.Command != "" {
			commands = append(commands, c.Command)
		}
		lacks = lacks || slices.ContainsFunc(c.Missing, func(name string) bool { return slices.Contains(granted, name) })
	}
	if lacks {
		self, err := os.Executable()
		if err != nil {
			self = "$(which pinwatch)"
		}
		commands = append(commands, "sudo setcap "+strings.ToLower(strings.Join(granted, ","))+"+ep "+self)
	}
	return strings.Join(commands, " && ")
}

func writeDoctorJSON(w io.Writer, checks []loader.Check) error {
	known := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	doc := struct {
		Schema string      `json:"schema"`
		Checks []doctorRow `json:"checks"`
	}{Schema: "pinwatch.doctor/v1"}
	for _, c := range checks {
		doc.Checks = append(doc.Checks, doctorRow{c.Name, string(c.State), c.Detail, known(c.Effect), known(c.Remedy)})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}
