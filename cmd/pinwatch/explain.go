package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/report/text"
)

func explainCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "show what a statement of the specification claims and its last verdict, or what a check of vet finds",
		Category:  "the specification",
		ArgsUsage: "ID|CHECK",
		Description: `Without an id it lists all statements. The last verdict is from this user's last pinwatch verify
on this machine.

Examples:
  pinwatch explain P-8
  pinwatch explain cleanup
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
			if section := explainCheck(c.Args().First()); section != "" {
				_, err := io.WriteString(s.out, section)
				return explainWrite(err)
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

// findStatement finds a statement by its id in any case. The error suggests the nearest ids.
func findStatement(id string) (contract.Statement, error) {
	var ids []string
	for _, s := range contract.Statements() {
		if strings.EqualFold(s.ID, id) {
			return s, nil
		}
		ids = append(ids, s.ID)
	}
	far := func(other string) int { // of two that are equally near, that of the same section comes first
		d := 2 * distance(id, other)
		if id != "" && strings.EqualFold(id[:1], other[:1]) {
			d--
		}
		return d
	}
	slices.SortStableFunc(ids, func(a, b string) int { return far(a) - far(b) })
	nearest := strings.Join(ids[:3], ", ")
	return contract.Statement{}, usagef("no statement %q; did you mean %s? pinwatch explain lists all", id, nearest)
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
