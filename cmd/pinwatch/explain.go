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
		Usage:     "show what a statement of the specification claims, how it is measured, and its last verdict",
		Category:  "the specification",
		ArgsUsage: "ID",
		Description: `Without an id it lists all statements. The last verdict is from this user's last pinwatch verify
on this machine.

Examples:
  pinwatch explain P-8
  pinwatch explain`,
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			switch c.NArg() {
			case 0:
				return explainWrite(text.WriteStatements(s.out, contract.Statements(), s.textOptions(s.out)))
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
			return explainWrite(text.WriteStatement(s.out, st, last, s.textOptions(s.out)))
		},
	}
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
	return contract.Statement{}, usagef("no statement %q; did you mean %s? pinwatch explain lists all", id,
		strings.Join(nearest(id, ids, 3), ", "))
}

// nearest returns the n names that are most like a word. Of two that are equally near, that with the same
// first letter comes first.
func nearest(word string, names []string, n int) []string {
	far := func(name string) int {
		d := 2 * distance(word, name)
		if word != "" && strings.EqualFold(word[:1], name[:1]) {
			d--
		}
		return d
	}
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int { return far(a) - far(b) })
	return names[:min(n, len(names))]
}

// distance is the number of letters to insert, delete or change to turn id into other
// (Levenshtein), in any case.
func distance(id, other string) int {
	source, target := []rune(strings.ToUpper(id)), []rune(strings.ToUpper(other))
	row := make([]int, len(target)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range source {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range target {
			cost := diagonal
			if x != y {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(target)]
}
