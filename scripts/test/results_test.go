package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/scripts/packages"
)

// stream is the output of go test -json for two packages in parallel: one passes, the other has a
// failed, an unfinished, a skipped and an unjudged test.
const stream = `{"Action":"start","Package":"PKG/a"}
{"Action":"start","Package":"PKG/b"}
{"Action":"run","Package":"PKG/a","Test":"TestOne"}
{"Action":"run","Package":"PKG/b","Test":"TestBad"}
{"Action":"run","Package":"PKG/b","Test":"TestBad/x"}
{"Action":"output","Package":"PKG/b","Test":"TestBad/x","Output":"    b_test.go:3: is wrong\n"}
{"Action":"output","Package":"PKG/a","Test":"TestOne","Output":"of no interest\n"}
{"Action":"fail","Package":"PKG/b","Test":"TestBad/x","Elapsed":0.1}
{"Action":"fail","Package":"PKG/b","Test":"TestBad","Elapsed":1.5}
{"Action":"run","Package":"PKG/b","Test":"TestNeedsRoot"}
{"Action":"output","Package":"PKG/b","Test":"TestNeedsRoot","Output":"    b_test.go:9: needs root\n"}
{"Action":"skip","Package":"PKG/b","Test":"TestNeedsRoot","Elapsed":0}
{"Action":"run","Package":"PKG/b","Test":"TestBusy"}
{"Action":"output","Package":"PKG/b","Test":"TestBusy","Output":"    b_test.go:9: not judged: the machine was busy\n"}
{"Action":"pass","Package":"PKG/b","Test":"TestBusy","Elapsed":0}
{"Action":"pass","Package":"PKG/a","Test":"TestOne","Elapsed":0.5}
{"Action":"pass","Package":"PKG/a","Elapsed":0.6}
{"Action":"run","Package":"PKG/b","Test":"TestHangs"}
{"Action":"output","Package":"PKG/b","Test":"TestHangs","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"PKG/b","Elapsed":2}
`

func TestRead(t *testing.T) {
	var out bytes.Buffer
	r := &results{w: &out}
	r.read(strings.NewReader(strings.ReplaceAll(stream, "PKG", packages.Module)))
	r.summarize()
	const want = `ok	a	0.6 s
    b_test.go:3: is wrong
panic: test timed out
FAIL	b	2.0 s

not judged:
  b TestBusy: not judged: the machine was busy

SKIPPED, so not tested here:
  b TestNeedsRoot: needs root

FAILED:
  b TestBad/x
  b TestBad
  b TestHangs

2 passed, 2 failed, 1 skipped
`
	got := strings.Replace(out.String(), "  (kernel tests need privileges: sudo env PATH=\"$PATH\" make test)\n", "", 1)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if r.passed() {
		t.Error("the run passed")
	}
}

// A package that fails without a failed test, such as one that does not compile, is a failure of
// its own.
func TestReadBuildFailure(t *testing.T) {
	var out bytes.Buffer
	r := &results{w: &out, prefix: "race: "}
	r.read(strings.NewReader(`{"ImportPath":"x/b","Action":"build-output","Output":"b.go:1:1: expected 'package'\n"}
{"Action":"start","Package":"x/b"}
{"Action":"output","Package":"x/b","Output":"FAIL\tx/b [build failed]\n"}
{"Action":"fail","Package":"x/b","Elapsed":0}
`))
	if want := "b.go:1:1: expected 'package'\nFAIL\tx/b [build failed]\nFAIL\trace: x/b\t0.0 s\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	if !slices.Equal(r.failures, []string{"race: x/b"}) || r.counts[failed] != 1 {
		t.Errorf("failures %v, counts %v", r.failures, r.counts)
	}
}

func TestPrintFailures(t *testing.T) {
	alone := &series{name: "alone", failures: map[string]int{}}
	beside := &series{name: "beside hogs", failures: map[string]int{}}
	alone.add(&results{})
	beside.add(&results{failures: []string{"b TestBad", "race: b TestBad", "b TestBad"}})
	beside.add(&results{failures: []string{"b TestBad"}})
	var out bytes.Buffer
	printFailures(&out, alone, beside)
	const want = `
FAILED           alone   beside hogs
b TestBad        0 of 1  2 of 2
race: b TestBad  0 of 1  1 of 2
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
