package report_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
)

func TestThreadListJSON(t *testing.T) {
	for name, l := range reporttest.Lists() {
		var b bytes.Buffer
		if err := report.WriteThreadListJSON(&b, l); err != nil {
			t.Fatal(err)
		}
		if err := schematest.CheckThreadList(b.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var back report.ThreadList
		if err := json.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&back, l) {
			t.Errorf("%s: the list read back differs from the one written", name)
		}
		for _, edit := range [][2]string{{`"schema"`, `"scheme"`}, {"threads/v1", "threads/v2"},
			{`"warnings": [`, `"more": 1, "warnings": [`}} {
			if err := schematest.CheckThreadList(bytes.Replace(b.Bytes(), []byte(edit[0]), []byte(edit[1]),
				1)); err == nil {
				t.Errorf("%s: accepted with %s", name, edit[1])
			}
		}
	}
}
