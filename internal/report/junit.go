package report

import (
	"encoding/xml"
	"fmt"
	"io"
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
		Skipped   int         `xml:"skipped,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitMessage `xml:"failure"`
		Skipped *junitMessage `xml:"skipped"`
		Out     string        `xml:"system-out"`
	}
	junitMessage struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteVerdictsJUnit writes a suite for each release of Go and section. Refuted and out of range
// are failures, inconclusive and not testable are skipped. With a baseline, changed verdicts are
// the failures instead.
func WriteVerdictsJUnit(w io.Writer, vs []*Verdicts, expect *Baseline) error {
	doc := junitSuites{Name: "pinwatch verify"}
	for _, v := range vs {
		for _, section := range contract.Sections {
			suite := junitSuite{Name: v.GoVersion + " " + section.ID, Timestamp: strings.TrimSuffix(v.Finished, "Z")}
			for i := range v.Verdicts {
				if v.Verdicts[i].Section == section.ID {
					suite.add(&v.Verdicts[i], v, expect)
				}
			}
			if suite.Tests > 0 {
				doc.Suites = append(doc.Suites, suite)
			}
		}
	}
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

func (s *junitSuite) add(row *StatementVerdict, v *Verdicts, expect *Baseline) {
	words := Words(v.Kind(row))
	c := junitCase{Class: "pinwatch." + v.GoVersion + "." + row.Section, Name: row.ID + " " + row.Evidence.Claim,
		Out: strings.Join(append([]string{words, "want: " + row.Want, "got: " + row.Got, "why: " + row.Why,
			row.Reproduce}, row.Warnings...), "\n")}
	s.Tests++
	failed, message := row.Verdict == contract.Refuted || row.Verdict == contract.OutOfRange, row.Got
	if expect != nil {
		var was string
		if was, failed = expect.Change(row); failed {
			message = words + ", was " + Words(was) + ": " + row.Got
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
