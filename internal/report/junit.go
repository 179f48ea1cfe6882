package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/contract"
)

// These elements are all that readers of JUnit have in common. encoding/xml writes them, so no
// module is needed.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Name    string       `xml:"name,attr"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr,omitempty"`
		Skipped   int         `xml:"skipped,attr"`
		Timestamp string      `xml:"timestamp,attr,omitempty"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitMessage `xml:"failure"`
		Error   *junitMessage `xml:"error"`
		Skipped *junitMessage `xml:"skipped"`
		Out     string        `xml:"system-out"`
	}
	junitMessage struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteVerdictsJUnit writes a suite for each release of Go and section, whose name has the settings
// that were handed to the workloads. Refuted and out of range
// are failures, inconclusive and not testable are skipped. With a comparison, its differences are
// the failures instead: changed verdicts, and in a suite of their own those of the run as a whole.
func WriteVerdictsJUnit(w io.Writer, vs []*Verdicts, compared *Comparison) error {
	doc := junitSuites{Name: "pinwatch verify"}
	for _, v := range vs {
		for _, section := range contract.Sections {
			name := strings.TrimSpace(v.GoVersion+" "+v.Environment.Handed()) + " " + section.ID
			suite := junitSuite{Name: name, Timestamp: strings.TrimSuffix(v.Finished, "Z")}
			for i := range v.Verdicts {
				if v.Verdicts[i].Section == section.ID {
					suite.add(&v.Verdicts[i], v, compared)
				}
			}
			if suite.Tests > 0 {
				doc.Suites = append(doc.Suites, suite)
			}
		}
	}
	if compared != nil {
		doc.Suites = append(doc.Suites, baselineSuite(compared, vs))
	}
	return writeJUnit(w, doc)
}

func writeJUnit(w io.Writer, doc junitSuites) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// baselineSuite has one case, and one more for each problem of the run as a whole.
func baselineSuite(c *Comparison, vs []*Verdicts) junitSuite {
	s := junitSuite{Name: "baseline"}
	if len(vs) > 0 {
		s.Timestamp = strings.TrimSuffix(vs[0].Finished, "Z")
	}
	s.Cases = []junitCase{{Class: "pinwatch.baseline", Name: "the run is comparable with the baseline"}}
	for i, p := range c.Problems {
		if i > 0 {
			s.Cases = append(s.Cases, s.Cases[0])
		}
		s.Cases[i].Failure = &junitMessage{Message: p}
	}
	s.Tests, s.Failures = len(s.Cases), len(c.Problems)
	return s
}

func (s *junitSuite) add(row *StatementVerdict, v *Verdicts, compared *Comparison) {
	words := Words(v.Kind(row))
	c := junitCase{Class: "pinwatch." + v.GoVersion + "." + row.Section, Name: row.ID + " " + row.Evidence.Claim,
		Out: strings.Join(append([]string{words, "want: " + row.Want, "got: " + row.Got, "why: " + row.Why,
			row.Reproduce}, append(row.cited(), row.Warnings...)...), "\n")}
	s.Tests++
	failed, message := row.Verdict == contract.Refuted || row.Verdict == contract.OutOfRange, row.Got
	if compared != nil {
		i := slices.IndexFunc(compared.Changed, func(d Difference) bool { return d.Row == row })
		if failed = i >= 0; failed {
			message = words + ", was " + Words(compared.Changed[i].Was) + ": " + row.Got
		}
	}
	switch {
	case failed:
		s.Failures++
		c.Failure = &junitMessage{Type: row.Verdict, Message: message, Text: row.Why}
	case !contract.Conclusive(row.Verdict), row.Verdict == contract.NotTestable:
		s.Skipped++
		c.Skipped = &junitMessage{Message: words + ": " + row.Why}
	}
	s.Cases = append(s.Cases, c)
}
