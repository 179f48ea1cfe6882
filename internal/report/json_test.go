package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/correlate"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/reporttest"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
)

func TestJSONFollowsTheSchema(t *testing.T) {
	for name, r := range reporttest.Reports() {
		t.Run(name, func(t *testing.T) {
			var doc, line bytes.Buffer
			if err := report.WriteJSON(&doc, r); err != nil {
				t.Fatal(err)
			}
			if err := report.WriteNDJSON(&line, r); err != nil {
				t.Fatal(err)
			}
			for _, b := range [][]byte{doc.Bytes(), line.Bytes()} {
				if err := schematest.Check(b); err != nil {
					t.Error(err)
				}
				var back report.Report
				if err := json.Unmarshal(b, &back); err != nil {
					t.Fatal(err)
				}
				var again bytes.Buffer // evidence has numbers of any type, JSON but one
				if err := report.WriteNDJSON(&again, &back); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(again.Bytes(), line.Bytes()) {
					t.Errorf("the report read back differs from the one written:\n%s\n%s", &again, &line)
				}
			}
			if n := bytes.Count(line.Bytes(), []byte("\n")); n != 1 || line.Bytes()[line.Len()-1] != '\n' {
				t.Errorf("NDJSON has %d newlines", n)
			}
		})
	}
}

// The text is that of encoding/json for the whole report, though threads are written one by one.
func TestJSONIsOneText(t *testing.T) {
	for name, r := range reporttest.Reports() {
		for indent, write := range map[string]func(io.Writer, *report.Report) error{
			"  ": report.WriteJSON, "": report.WriteNDJSON,
		} {
			var got, want bytes.Buffer
			enc := json.NewEncoder(&want)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", indent)
			if err := errors.Join(write(&got, r), enc.Encode(r)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("%s, indent %q:\n%s\nwant\n%s", name, indent, &got, &want)
			}
		}
	}
}

// A value that is not known is null, and no other value is.
func TestNullIsNotZero(t *testing.T) {
	var b bytes.Buffer
	if err := report.WriteNDJSON(&b, reporttest.Reports()["empty"]); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"kernel":null`, `"cpus":null`, `"mitigations":null`, `"go_version":null`, `"cgo":null`, `"programs":null`,
		`"hooks":null`, `"cpu_s":null`,
		`"sigurg_not_injected":null`, `"locked_threads":null`, `"threads_exited_locked":null`, `"per_s":null`,
		`"wall_end":null`,
		`"threads_created":0`, `"by_kind":{}`, `"by_why":{}`, `"costs":[]`, `"threads":[]`, `"causes":[]`,
		`"findings":[]`, `"warnings":[]`,
		`"sites":null`, `"unclassified":[]`, `"locks":{"observations":0,"unknown":0}`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
}

func TestPopulations(t *testing.T) {
	r := report.New(reporttest.Meta(), &correlate.Result{Costs: []correlate.Cost{
		{ID: "P-5", Phase: "deliver"},
		{ID: "P-5", Phase: "deliver", Population: correlate.Population{Locked: "true", State: "on_cpu"}},
		{ID: "P-5", Phase: "deliver", Population: correlate.Population{Locked: "unknown", Cause: "unknown"}},
	}})
	var b bytes.Buffer
	if err := report.WriteNDJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	if err := schematest.Check(b.Bytes()); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		`"locked":null,"cause":null,"state":null`, `"locked":true,"cause":null,"state":"on_cpu"`,
		`"locked":"unknown","cause":"unknown","state":null`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
}

// broken refuses every write, as a closed pipe does.
type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteErrors(t *testing.T) {
	for name, err := range map[string]error{
		"json":    report.WriteJSON(broken{}, reporttest.Reports()["idle"]),
		"ndjson":  report.WriteNDJSON(broken{}, reporttest.Reports()["idle"]),
		"threads": report.WriteThreadListJSON(broken{}, reporttest.Lists()["threads_c"]),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: %v does not wrap the writer's error", name, err)
		}
	}
}
