package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/loader"
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

// The text answers yes, no or partly, and joins all remedies into one command.
func TestDoctorText(t *testing.T) {
	var b strings.Builder
	if err := writeDoctorText(&b, []loader.Check{
		{Name: "a", State: loader.Yes, Sentence: "the first thing holds"},
		{Name: "b", State: loader.No, Detail: "broken", Effect: "everything", Missing: []string{"CAP_BPF"}, Remedy: "sudo"},
		{Name: "c", State: loader.Without, Sentence: "slow", Effect: "speed", Remedy: "sysctl x=1", Command: "sysctl x=1"},
		{Name: "d", State: loader.Without, Sentence: "old", Effect: "precision", Remedy: "boot a new kernel"},
		{Name: "e", State: loader.Without, Sentence: "bare", Effect: "tracefs", Missing: []string{"CAP_SYS_PTRACE"}},
	}); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{
		"yes     the first thing holds\n", "no      b: broken\n        lost: everything\n",
		"partly  slow\n        lost: speed\n",
		"        helps: boot a new kernel\n",
		"\n  sysctl x=1 && sudo setcap cap_bpf,cap_perfmon,cap_dac_read_search,cap_sys_ptrace+ep /",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Count(got, "setcap") != 1 || strings.Contains(got, "helps: sudo") {
		t.Errorf("more than one command in\n%s", got)
	}
	if command := remedies([]loader.Check{{State: loader.Without, Missing: []string{"CAP_SYS_ADMIN"}}}); command != "" {
		t.Errorf("a binary is to get CAP_SYS_ADMIN: %s", command)
	}
}
