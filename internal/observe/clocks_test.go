package observe

import (
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/host"
	"github.com/pinwatch/pinwatch/loader"
)

func TestClocksThatMove(t *testing.T) {
	begin := readClocks()
	for name, c := range map[string]struct {
		boot, wall time.Duration
		want       []string // part of each warning
	}{
		"still":               {0, 0, nil},
		"as read":             {time.Millisecond, -time.Millisecond, nil},
		"suspended":           {time.Minute, time.Minute, []string{"suspended for 1m0s"}},
		"set forward":         {0, time.Hour, []string{"forward by 1h0m0s"}},
		"set back":            {0, -2 * time.Second, []string{"back by 2s"}},
		"suspended, and back": {time.Minute, 59 * time.Second, []string{"suspended for 1m0s", "back by 1s"}},
	} {
		got := clocks{begin.boot + c.boot, begin.wall + c.wall}.changes(begin)
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, words := range c.want {
			if !strings.Contains(got[i], words) {
				t.Errorf("%s: %q lacks %q", name, got[i], words)
			}
		}
	}
	if got := readClocks().changes(begin); len(got) != 0 {
		t.Errorf("no clock was changed: %q", got)
	}
}

func TestClockCaveats(t *testing.T) {
	good := loader.Calibration{ClockRead: 20, ClockStep: 20}
	for name, c := range map[string]struct {
		calibration loader.Calibration
		host        host.Info
		want        string // part of the only warning; "" = none
	}{
		"tsc on metal":    {good, host.Info{Clocksource: "tsc", Virtualization: "none"}, ""},
		"arm64 on metal":  {good, host.Info{Clocksource: "arch_sys_counter", Virtualization: "none"}, ""},
		"unknown host":    {good, host.Info{Virtualization: "unknown"}, ""},
		"virtual machine": {good, host.Info{Clocksource: "tsc", Virtualization: "kvm"}, "kvm"},
		"slow clock": {loader.Calibration{ClockRead: 900, ClockStep: 100},
			host.Info{Clocksource: "hpet", Virtualization: "none"}, "900 ns"},
		"coarse clock": {loader.Calibration{ClockRead: 20, ClockStep: 4e6},
			host.Info{Clocksource: "tsc", Virtualization: "none"}, "steps of 4ms"},
	} {
		got := clockCaveats(c.calibration, c.host)
		switch {
		case c.want == "" && len(got) == 0:
		case c.want != "" && len(got) == 1 && strings.Contains(got[0], c.want):
		default:
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
