// Package schematest checks JSON reports against the schema of pinwatch.report/v1. It is for tests
// only and stands apart so that no JSON Schema library ends up in the program.
package schematest

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pinwatch/pinwatch/internal/report"
)

// Check returns the first departure of a report, one JSON object, from report.Schema. It is
// stricter than the schema in one thing: a key that the schema does not describe is an error, for
// what we write we also document.
func Check(doc []byte) error { return check(doc, ofReports) }

// CheckThreadList is Check for report.ThreadListSchema.
func CheckThreadList(doc []byte) error { return check(doc, ofThreadLists) }

// CheckVerdicts is Check for report.VerdictsSchema.
func CheckVerdicts(doc []byte) error { return check(doc, ofVerdicts) }

// CheckSummary is Check for report.SummarySchema.
func CheckSummary(doc []byte) error { return check(doc, ofSummaries) }

// CheckGroup is Check for report.GroupSchema.
func CheckGroup(doc []byte) error { return check(doc, ofGroups) }

// CheckCheck is Check for report.CheckSchema.
func CheckCheck(doc []byte) error { return check(doc, ofChecks) }

// CheckCompared is Check for report.ComparedSchema.
func CheckCompared(doc []byte) error { return check(doc, ofCompared) }

func check(doc []byte, compiled func() (*jsonschema.Schema, error)) error {
	schema, err := compiled()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	if err := schema.Validate(v); err != nil {
		return fmt.Errorf("check report: %w", err)
	}
	return nil
}

var (
	ofReports     = compiled("report")
	ofThreadLists = compiled("threads")
	ofVerdicts    = compiled("verdicts")
	ofSummaries   = compiled("summary")
	ofGroups      = compiled("group")
	ofChecks      = compiled("check")
	ofCompared    = compiled("compare")
)

// schemas are all schemas by name. They refer to each other.
var schemas = map[string][]byte{"report": report.Schema, "threads": report.ThreadListSchema,
	"verdicts": report.VerdictsSchema, "summary": report.SummarySchema, "group": report.GroupSchema,
	"check": report.CheckSchema, "compare": report.ComparedSchema}

func compiled(name string) func() (*jsonschema.Schema, error) {
	return sync.OnceValues(func() (*jsonschema.Schema, error) { return compile(name) })
}

func compile(name string) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	url := func(name string) string { return "https://github.com/pinwatch/pinwatch/" + name + "-v1.schema.json" }
	for name, schema := range schemas {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
		if err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		closeObjects(v)
		if err := c.AddResource(url(name), v); err != nil {
			return nil, fmt.Errorf("add schema: %w", err)
		}
	}
	s, err := c.Compile(url(name))
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	return s, nil
}

// closeObjects forbids further keys in every object whose keys the schema lists.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok {
			v["additionalProperties"] = false
		}
		for _, sub := range v {
			closeObjects(sub)
		}
	case []any:
		for _, sub := range v {
			closeObjects(sub)
		}
	}
}
