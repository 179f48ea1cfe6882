package rules

import (
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
)

// TestAnalyzers runs the analyzers that this program adds to the linters. They run as one, because
// every expectation of a file must be met by each of them.
func TestAnalyzers(t *testing.T) {
	all := &analysis.Analyzer{
		Name: "all",
		Doc:  "all analyzers of this program",
		Run: func(pass *analysis.Pass) (any, error) {
			for _, a := range Analyzers {
				if _, err := a.Run(pass); err != nil {
					return nil, err
				}
			}
			return nil, nil
		},
	}
	analysistest.Run(t, analysistest.TestData(), all, "library", "x/internal/workload")
}
