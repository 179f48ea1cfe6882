package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/scripts/measure"
)

func TestShell(t *testing.T) {
	if got, want := shell([]string{"go", "test", "-run", "^$"}), "go test -run '^$'"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFilled(t *testing.T) {
	var p peer
	got := p.filled([]string{"pinwatch", "-p", "PID", "DIR/x"}, 42, "/tmp/d", "/opt/pinwatch")
	if want := []string{"/opt/pinwatch", "-p", "42", "/tmp/d/x"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Each kind of host has its section in the document of costs, which is there.
func TestHostKind(t *testing.T) {
	document := filepath.Join("..", "..", costs)
	for _, h := range []host.Info{
		{Clocksource: "tsc", Mitigations: map[string]string{"meltdown": "Not affected"}}, {Clocksource: "kvm-clock"},
		{Clocksource: "kvm-clock", Mitigations: map[string]string{"meltdown": "Mitigation: PTI\n"}},
	} {
		if err := measure.CanReplace(document, "bench:steps "+hostKind(h)); err != nil {
			t.Errorf("%+v: %v", h, err)
		}
	}
}

func TestLonger(t *testing.T) {
	base := []float64{10, 11, 10, 11, 10, 11, 10}
	twice := []float64{20, 21, 20, 21, 20, 21, 20}
	if got := longer(base, twice); !strings.HasPrefix(got, "+100.0 % (p=0.00") {
		t.Errorf("twice as long: %q", got)
	}
	if got := longer(base, base); !strings.HasPrefix(got, "~ (+0.0 %") {
		t.Errorf("the same: %q", got)
	}
}

// TestPeers checks that the baseline comes first, and that every command has a test of readiness.
func TestPeers(t *testing.T) {
	if p := peerList[0]; p.name != nothing || p.command != nil || p.args != nil {
		t.Errorf("the first peer is %+v", p)
	}
	for i := range peerList {
		p := &peerList[i]
		if (p.command == nil) != (p.ready == nil) || p.bpf && p.command == nil {
			t.Errorf("%s: a command without readiness, or the other way round", p.name)
		}
	}
}

// TestAbsent checks that the reason names the missing tool.
func TestAbsent(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for i := range peerList {
		p := &peerList[i]
		got := p.absent("/nonexistent/pinwatch")
		if (got == "") != (p.command == nil) || p.command != nil && !strings.Contains(got, p.command[0]) {
			t.Errorf("%s: %q", p.name, got)
		}
	}
}
