package main

import (
	"encoding/json"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

func TestDoctor(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	code, stdout, stderr := pinwatch(t, "doctor", "-o", "json")
	if code != exitOK {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	var doc struct{ Checks []doctorRow }
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil || len(doc.Checks) < 10 {
		t.Errorf("%d rows, %v", len(doc.Checks), err)
	}
}
