package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report/text"
)

func explainCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say what a statement of the specification claims, how it is measured, and its last verdict",
		Category:  "the specification",
		ArgsUsage: "ID",
		Description: `Without an id it lists all statements. The last verdict is that of the last pinwatch verify of this user on this machine.

Examples:
  pinwatch explain P-8
  pinwatch explain`,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			switch c.NArg() {
			case 0:
				return explainWrite(text.WriteStatements(s.out, contract.Statements(), textOptions(s.out)))
			case 1:
			default:
				return usagef("explain one statement at a time, for instance P-8")
			}
			st, err := findStatement(c.Args().First())
			if err != nil {
				return err
			}
			last, err := lastVerdicts(st.ID)
			if err != nil {
				fmt.Fprintln(s.err, "pinwatch: the last verdict is not known:", oneLine(err))
			}
			return explainWrite(text.WriteStatement(s.out, st, last, textOptions(s.out)))
		},
	}
}

// findStatement finds a statement however its id is cased; the error suggests the nearest ones.
func findStatement(id string) (contract.Statement, error) {
	var ids []string
	for _, s := range contract.Statements() {
		if strings.EqualFold(s.ID, id) {
			return s, nil
		}
		ids = append(ids, s.ID)
	}
	far := func(other string) int { // of two as near as each other, the one of the same section first
		d := 2 * distance(id, other)
		if id != "" && strings.EqualFold(id[:1], other[:1]) {
			d--
		}
		return d
	}
	slices.SortStableFunc(ids, func(a, b string) int { return far(a) - far(b) })
	return contract.Statement{}, usagef("no statement %q; did you mean %s? pinwatch explain lists all", id, strings.Join(ids[:3], ", "))
}

// distance is how many letters have to be put in, left out or changed to make b of a (Levenshtein), whatever their case.
func distance(a, b string) int {
	from, to := []rune(strings.ToUpper(a)), []rune(strings.ToUpper(b))
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range to {
			cost := diagonal
			if x != y {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(to)]
}
