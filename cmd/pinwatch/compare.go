package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pinwatch/pinwatch/internal/compare"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/text"
)

func compareCommand(s streams) *cli.Command {
	formats := []string{"text", "json", "markdown", "benchfmt"}
	return &cli.Command{
		Name:      "compare",
		Usage:     "compare runs before a change with those after it: what got dearer, and how sure that is",
		Category:  "observe",
		ArgsUsage: "OLD NEW...",
		Description: `OLD and NEW are each a directory with a report in each file (attach, run or demo, with -o json), a file
with several reports, or the text of Go benchmarks (go test -bench . -count 10). Each report, and each line of a
benchmark, is one run. The run is the unit of every number: thousands of samples of one run are one piece of
evidence. A change is shown only if it stands after the correction for the number of costs compared.

Take turns when you make the runs, one of OLD and one of NEW: a machine that changes slowly looks like a change
of the program otherwise.

Examples:
  for i in $(seq 10); do for v in old new; do sudo pinwatch run -o json --out $v/$i.json -- ./server.$v; done; done
  pinwatch compare old/ new/
  pinwatch compare -v old/ new/
  pinwatch compare old.txt new.txt
  pinwatch compare -o markdown old/ new/ >>"$GITHUB_STEP_SUMMARY"
  pinwatch compare -o benchfmt old/ new/ >runs.txt; benchstat -col side runs.txt

Exit codes: 0 compared, whatever changed; 1 error; 2 usage; 4 there are too few runs for any conclusion.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o", "format"}, Value: "text",
				Usage: "`FORMAT`: " + strings.Join(formats, ", ")},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "also the populations without a change"},
		},
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			format, paths := c.String("output"), c.Args().Slice()
			if !slices.Contains(formats, format) {
				return usagef("-o %s: no such format; it is one of %s", format, strings.Join(formats, ", "))
			}
			if i := slices.IndexFunc(paths, func(p string) bool { return strings.HasPrefix(p, "-") }); i >= 0 {
				return usagef("%s: put flags before OLD", paths[i])
			}
			if len(paths) < 2 {
				return usagef("compare takes OLD and NEW: directories of reports, files of reports, or benchmark text")
			}
			return compareSides(s, paths, format, c.Bool("verbose"))
		},
	}
}

func compareSides(s streams, paths []string, format string, verbose bool) error {
	sides := make([]*compare.Side, len(paths))
	for i, path := range paths {
		var err error
		if sides[i], err = compare.Read(path); err != nil {
			return fmt.Errorf("compare: %w", err)
		}
	}
	compared, err := compare.Compare(versionString(), sides[0], sides[1:]), error(nil)
	switch format {
	case "json":
		err = report.WriteComparedJSON(s.out, compared)
	case "markdown":
		err = report.WriteComparedMarkdown(s.out, compared, verbose)
	case "benchfmt":
		err = report.WriteComparedBenchmarks(s.out, compared)
	default:
		page := s.textOptions(s.out)
		page.Verbose = verbose
		err = text.WriteCompared(s.out, compared, page)
	}
	if err != nil {
		return explainWrite(err)
	}
	if !compared.Conclusive {
		fmt.Fprintf(s.err, "pinwatch: compare: too few runs for any conclusion: %d of each side are needed\n",
			compared.NeedRuns)
		return status(exitInconclusive)
	}
	return nil
}
