package budget

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

// The committed schema is what the names of today make: go test ./internal/budget -update writes it.
func TestSchemaIsUpToDate(t *testing.T) {
	var made bytes.Buffer
	if err := WriteSchema(&made); err != nil {
		t.Fatal(err)
	}
	testenv.Golden(t, "budget-v1.schema.json", made.Bytes())
}

// What files can be.
const (
	yes        = "yes"
	no         = "no"
	parserOnly = "refused by the parser alone"
)

var files = []struct{ text, accepted string }{
	{"P-8.total.p99: <= 80us\n", yes},
	{"P-8.total.p99: <=80us\n", yes},
	{"P-8.total.p99: <= 80 µs\n", yes},
	{"P-8.total.p99: \"<= 80us\"\n", yes},
	{"P-8.total.p99: 10us..1.5ms\n", yes},
	{"P-8.total.p99: 10us .. 1.5ms\n", yes},
	{"P-8.total.p99: 0\n", yes},
	{"P-8.total.p99: 0..80us\n", yes},
	{"P-8.total.n: \">= 300\"\n", yes},
	{"P-8.total.locked=true.p99: <= 80us\n", yes},
	{"P-5.deliver.state=on_cpu.p50: <= 10us\n", yes},
	{"P-8.total.cause=template_thread.n: <= 10\n", yes},
	{"P-8.total.in_range_fraction: \">= 90%\"\n", yes},
	{"locked_threads: <= 8\n", yes},
	{"counts.locked_threads: 8\n", yes},
	{"sums.switches: 8.5\n", yes},
	{"threads_exited_locked: == 0\n", yes},
	{"window.duration_s: \">= 10s\"\n", yes},
	{"observer.cpu_fraction: < 2%\n", yes},
	{"cpu.run_ns: <= 1s\n", yes},
	{"moves.per_s: <= 100\n", yes},
	{"threads: 1e2\n", yes},
	{"threads: 0x10\n", yes},
	{"threads: 2..4\n", yes},
	{"peaks.threads.n: <= 8\n", yes},
	{"findings: {warn: 0, leaked-pin: 0}\n", yes},
	{"findings:\n  info: <= 3\n", yes},
	{"schema: pinwatch.budget/v1\nthreads: <= 8\n", yes},
	{"executables:\n  server:\n    threads: <= 8\n    findings: {warn: 0}\n", yes},
	{"{threads: <= 8, P-8.total.p99: <= 80us}\n", yes},
	{"threads: >-\n  <= 8\n", yes},

	{"", no},
	{"threads:\n", no},
	{"[]\n", no},
	{"8\n", no},
	{"{}\n", no},
	{"thread: <= 8\n", no},
	{"counts.switches.n: <= 8\n", no},
	{"counts.loss.total: 0\n", no},
	{"P-8.total: <= 8\n", no},
	{"P-8.total.p98: <= 8us\n", no},
	{"P-8.totl.p99: <= 8us\n", no},
	{"P-8.send.p99: <= 8us\n", no},
	{"P-8.total.locked=maybe.p99: <= 8us\n", no},
	{"P-8.total.cause=.p99: <= 8us\n", no},
	{"P-8.total.p99: 80\n", no},
	{"P-8.total.p99: <= 80\n", no},
	{"P-8.total.p99: <= 80usec\n", no},
	{"P-8.total.p99: <= 80%\n", no},
	{"P-8.total.p99: at most 80us\n", no},
	{"P-8.total.p99: =< 80us\n", no},
	{"P-8.total.p99: \" 00\"\n", no},
	{"P-8.total.p99: <= -80us\n", no},
	{"P-8.total.p99: <= 10us..20us\n", no},
	{"P-8.total.p99: [<= 80us]\n", no},
	{"P-8.total.p99: {max: 80us}\n", no},
	{"P-8.total.p99: |\n  <= 80us\n", no},
	{"P-8.total.p99: \"<= 80us \"\n", no},
	{"P-8.total.p99: \"<=  80us\"\n", no},
	{"threads: <= 8ms\n", no},
	{"threads: -1\n", no},
	{"threads: 1e16\n", no},
	{"threads: <= 1111111111111111\n", no},
	{"threads: true\n", no},
	{"threads: null\n", no},
	{"threads: 2026-01-01\n", no},
	{"observer.cpu_fraction: 0.02\n", no},
	{"findings: [warn: 0]\n", no},
	{"findings: {warning: 0}\n", no},
	{"findings: {warn: <= 8ms}\n", no},
	{"findings: 0\n", no},
	{"schema: pinwatch.report/v1\nthreads: <= 8\n", no},
	{"executables: {server: <= 8}\n", no},
	{"executables:\n  server:\n    executables: {a: {threads: 0}}\n", no},

	{"threads: 4..2\n", parserOnly},
	{"threads: 1\nthreads: 2\n", parserOnly},
	{"threads: 1\ncounts.threads: 2\n", parserOnly},
	{"schema: pinwatch.budget/v1\n", parserOnly},
	{"threads: &a 8\nlocked_threads: *a\n", parserOnly},
	{"threads: !!int 8\n", parserOnly},
	{"threads: 8\n---\nthreads: 9\n", parserOnly},
}

// The schema accepts what the parser accepts.
func TestSchemaAgreesWithParser(t *testing.T) {
	schema := compileSchema(t)
	// YAML's reader refuses names that are there twice where it does not read into nodes.
	twice := func(text string) bool { return strings.HasPrefix(text, "threads: 1\nthreads") }
	for _, f := range files {
		_, err := Parse("b.yaml", []byte(f.text))
		if got := err == nil; got != (f.accepted == yes) {
			t.Errorf("%q: Parse: %v, want accepted: %s", f.text, err, f.accepted)
		}
		var doc any
		if err := yaml.NewDecoder(strings.NewReader(f.text)).Decode(&doc); err != nil && f.text != "" && !twice(f.text) {
			t.Errorf("%q: %v", f.text, err)
			continue
		}
		err = schema.Validate(asJSON(doc))
		if got := err == nil; got != (f.accepted != no) && !twice(f.text) {
			t.Errorf("%q: the schema: %v, want accepted: %s", f.text, err, f.accepted)
		}
	}
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("budget.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("budget.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON gives what YAML says the types of JSON.
func asJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = asJSON(x)
		}
		return out
	case map[any]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[fmt.Sprint(k)] = asJSON(x)
		}
		return out
	case []any:
		for i := range v {
			v[i] = asJSON(v[i])
		}
		return v
	case int, int64, uint64, float64, string, bool, nil:
		return v
	}
	return fmt.Sprint(v)
}
