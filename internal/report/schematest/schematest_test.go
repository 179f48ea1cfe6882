package schematest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/report"
)

// TestCheckFindsFaults: a check that accepts anything would let every other test pass.
func TestCheckFindsFaults(t *testing.T) {
	var b bytes.Buffer
	r := report.New(report.Meta{Version: "devel"},
		&correlate.Result{Costs: []correlate.Cost{{ID: "P-8", Phase: "spawn"}}})
	if err := report.WriteNDJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	doc := b.String()
	if err := Check([]byte(doc)); err != nil {
		t.Fatalf("a sound report: %v", err)
	}
	for name, edit := range map[string][2]string{
		"key missing":          {`"threads_killed":0,`, ``},
		"key not described":    {`"pinwatch":{`, `"pinwatch":{"sha":"x",`},
		"deep key missing":     {`"unit":"ns",`, ``},
		"unknown instead null": {`"cause":null`, `"cause":0`},
		"negative count":       {`"switches":0`, `"switches":-1`},
		"word not in the list": {`"bound":null`, `"bound":"middle"`},
		"other format":         {`report/v1`, `report/v2`},
		"no JSON":              {`{`, `[`},
	} {
		broken := strings.Replace(doc, edit[0], edit[1], 1)
		if broken == doc {
			t.Errorf("%s: nothing to edit in %s", name, doc)
		}
		if err := Check([]byte(broken)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
