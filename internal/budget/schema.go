package budget

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/findings"
)

// Schema is the JSON Schema (2020-12) of a file of budgets, for editors. WriteSchema made it. It can't
// say that a range must not end before it begins.
//
//go:embed budget-v1.schema.json
var Schema []byte

// WriteSchema makes Schema from the names and units that Parse knows.
func WriteSchema(w io.Writer) error {
	of := map[kind]string{count: "count", times: "time", seconds: "time", fraction: "share"}
	ref := func(name string) object { return object{"$ref": "#/$defs/" + name} }
	properties := object{}
	for _, name := range numbers() {
		properties[name] = ref(of[kindOf(name)])
	}
	for _, name := range costNames() {
		_, k := findCost(name)
		properties[name] = ref(of[k])
	}
	found := object{}
	for _, name := range slices.Concat(severities, findings.IDs()) {
		found[name] = ref("count")
	}
	properties["findings"] = object{"type": "object", "properties": found, "additionalProperties": false,
		"description": "Findings of a severity or above, or of one kind."}
	patterns := object{}
	for _, byKind := range populationPatterns() {
		patterns[byKind.pattern] = ref(of[byKind.kind])
	}
	budgets := object{"type": "object", "properties": properties, "patternProperties": patterns,
		"additionalProperties": false}
	top := maps.Clone(budgets)
	top["properties"] = maps.Clone(properties)
	inFile := top["properties"].(object)
	inFile["schema"] = object{"const": SchemaID}
	inFile["executables"] = object{"type": "object", "additionalProperties": ref("budgets"),
		"description": "Budgets of the processes of one executable, by its name without directories."}
	top["$schema"], top["$id"] = "https://json-schema.org/draft/2020-12/schema",
		"https://github.com/pinwatch/pinwatch/budget-v1.schema.json"
	top["title"], top["description"] = SchemaID, "Budgets for pinwatch check: see docs/check.md."
	top["$defs"] = object{
		"budgets": budgets,
		"count": object{"anyOf": []object{{"type": "number", "minimum": 0, "maximum": 1e15},
			{"type": "string", "pattern": count.pattern()}}, "description": "As in 0, <= 8, 2..4 or \">= 1\"."},
		"time": object{"anyOf": []object{{"const": 0}, {"type": "string", "pattern": times.pattern()}},
			"description": "As in <= 80us or 10us..1ms."},
		"share": object{"anyOf": []object{{"const": 0}, {"type": "string", "pattern": fraction.pattern()}},
			"description": "As in <= 2%."},
	}
	top["minProperties"] = 1
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(top); err != nil {
		return fmt.Errorf("write schema: %w", err)
	}
	// A name in a line: it is read as a diff.
	if _, err := io.WriteString(w, strings.ReplaceAll(text.String(), `},"`, "},\n\"")); err != nil {
		return fmt.Errorf("write schema: %w", err)
	}
	return nil
}

// populationPattern is a regular expression of the names of statistics of a kind over parts of the
// samples.
type populationPattern struct {
	pattern string
	kind    kind
}

func populationPatterns() (list []populationPattern) {
	var rows, dimensions []string
	for _, c := range correlate.Phases() {
		rows = append(rows, c.ID+"\\."+c.Phase)
	}
	for _, d := range slices.Sorted(maps.Keys(populations)) {
		values := "[a-z0-9_]+"
		if populations[d] != nil {
			values = "(?:" + strings.Join(populations[d], "|") + ")"
		}
		dimensions = append(dimensions, d+"="+values)
	}
	byKind := map[kind][]string{}
	for _, s := range stats() {
		byKind[statKind(s)] = append(byKind[statKind(s)], s.name)
	}
	for _, k := range slices.Sorted(maps.Keys(byKind)) {
		list = append(list, populationPattern{"^(?:" + strings.Join(rows, "|") + ")\\.(?:" + strings.Join(dimensions, "|") +
			")\\.(?:" + strings.Join(byKind[k], "|") + ")$", k})
	}
	return list
}
