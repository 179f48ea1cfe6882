package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

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

var errNotReady = errors.New("processes can't be observed here: see the checks with state no")

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

func writeDoctorText(w io.Writer, checks []loader.Check) error {
	for _, c := range checks {
		if _, err := fmt.Fprintf(w, "%-8s%-38s %s\n", c.State, c.Name, c.Detail); err != nil {
			return err
		}
		if c.Effect != "" {
			if _, err := fmt.Fprintf(w, "%-8s  effect: %s\n", "", c.Effect); err != nil {
				return err
			}
		}
		if c.Remedy != "" {
			if _, err := fmt.Fprintf(w, "%-8s  remedy: %s\n", "", c.Remedy); err != nil {
				return err
			}
		}
	}
	return nil
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
