package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/docs"
	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/nearest"
	"github.com/pinwatch/pinwatch/internal/report/text"
)

func explainCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "explain a finding, a check of vet, a word of the report, or a statement of the specification",
		Category:  "the specification",
		ArgsUsage: "WORD",
		Description: `Without a word it lists all statements, findings, checks and words. Of a statement it shows the
last verdict of this user's last pinwatch verify on this machine.

Examples:
  pinwatch explain exit-while-locked-churn
  pinwatch explain unlock
  pinwatch explain p99
  pinwatch explain wake a pinned goroutine
  pinwatch explain P-8`,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return explainAll(s)
			}
			return explainWord(s, strings.Join(c.Args().Slice(), " "))
		},
	}
}

// explainAll lists what explain knows.
func explainAll(s streams) error {
	o := s.textOptions(s.out)
	err := text.WriteStatements(s.out, contract.Statements(), o)
	for _, list := range []struct {
		title string
		names []string
	}{{"Findings", docs.Findings()}, {"Checks of vet", docs.Checks()}, {"Words of the report", docs.Words()}} {
		if _, e := fmt.Fprintln(s.out); e != nil {
			err = errors.Join(err, e)
		}
		err = errors.Join(err, text.WriteSection(s.out, list.title, strings.Join(list.names, ", "), o))
	}
	return explainWrite(err)
}

// explainWord explains everything that has this name.
func explainWord(s streams, word string) error {
	o, begun := s.textOptions(s.out), false
	if st, err := findStatement(word); err == nil {
		last, err := lastVerdicts(st.ID)
		if err != nil {
			fmt.Fprintln(s.err, "pinwatch: the last verdict is not known:", oneLine(err))
		}
		if err := text.WriteStatement(s.out, st, last, o); err != nil {
			return explainWrite(err)
		}
		begun = true
	}
	for _, find := range []func(string) (docs.Entry, bool){docs.Finding, docs.Check, docs.Word} {
		e, ok := find(word)
		if !ok {
			continue
		}
		if begun {
			if _, err := fmt.Fprintln(s.out); err != nil {
				return explainWrite(err)
			}
		}
		if err := text.WriteSection(s.out, e.Title, e.Body, o); err != nil {
			return explainWrite(err)
		}
		begun = true
	}
	if begun {
		return nil
	}
	names := slices.Concat(docs.Findings(), docs.Checks(), docs.Words())
	for _, st := range contract.Statements() {
		names = append(names, st.ID)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return usagef("%q is no word of pinwatch; %s", word, meant(word, names, 3, "pinwatch explain lists all"))
}

// findStatement finds a statement by its id in any case. The error suggests the nearest ids.
func findStatement(id string) (contract.Statement, error) {
	var ids []string
	for _, s := range contract.Statements() {
		if strings.EqualFold(s.ID, id) {
			return s, nil
		}
		ids = append(ids, s.ID)
	}
	return contract.Statement{}, usagef("no statement %q; %s", id, meant(id, ids, 3, "pinwatch explain lists all"))
}

// meant asks for the n names that are most like a word, if some are, and adds where all are listed.
func meant(word string, names []string, n int, all string) string {
	near := nearest.Names(word, names, n)
	if len(near) == 0 {
		return all
	}
	return "did you mean " + strings.Join(near, ", ") + "? " + all
}
