package main

import (
	"slices"
	"strings"
	"testing"
)

const report = "reading build info\r\n" +
	`{ "counts": {"threads_created": 12, "threads_exited": 9}, "loss": {"total": 0} }` + "\r\n"

// console joins what a guest prints the way its init does: protocol lines begin in the first column
// after an empty line.
func console(lines ...string) string { return strings.Join(lines, "\r\n\r\n") + "\r\n" }

func TestParseLog(t *testing.T) {
	tests := []struct {
		name string
		log  string
		want bool
		demo string
	}{
		{"died before init", "BIOS\r\nKernel panic - not syncing", false, ""},
		{"died in a step", console("KMATRIX kernel 6.1.0", "KMATRIX begin demo", "Kernel panic"), false, ""},
		{
			"complete",
			console("KMATRIX kernel 6.1.0", "KMATRIX begin demo", report, "KMATRIX end demo exit=0", "KMATRIX exit=0"),
			true, "12 created, 9 exited, 0 lost",
		},
		{"every step ended but the guest did not", console("KMATRIX begin demo", report, "KMATRIX end demo exit=0"),
			false, "12 created, 9 exited, 0 lost"},
		{"a step failed", console("KMATRIX begin x", "KMATRIX end x exit=1", "KMATRIX exit=1"), false, ""},
		{"a program prints the last line", console("KMATRIX begin x", "echo KMATRIX exit=0"), false, ""},
		{
			"demo without counts",
			console("KMATRIX begin demo", `{"counts": {}, "loss": {"total": 0}}`, "KMATRIX end demo exit=0", "KMATRIX exit=0"),
			false, "0 created, 0 exited, 0 lost",
		},
		{
			"demo without report",
			console("KMATRIX begin demo", "hello", "KMATRIX end demo exit=0", "KMATRIX exit=0"),
			false, "no report",
		},
		{"demo failed", console("KMATRIX begin demo", "KMATRIX end demo exit=4", "KMATRIX exit=1"), false, "exit 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := parseLog(tt.log)
			if r.ok != tt.want || r.demo != tt.demo {
				t.Errorf("ok %v, demo %q; want %v, %q", r.ok, r.demo, tt.want, tt.demo)
			}
		})
	}
}

func TestParseLogJudgesDoctor(t *testing.T) {
	for _, tt := range []struct{ output, end, want string }{
		{"{\"rows\": []}", "0", "ok"},
		{"NAME:\r\n   pinwatch doctor - what this machine allows", "0", "no report"},
		{"{}", "0", "no findings"},
		{"", "2", "exit 2"},
	} {
		r := parseLog(console("KMATRIX begin doctor", tt.output, "KMATRIX end doctor exit="+tt.end, "KMATRIX exit=0"))
		if r.doctor != tt.want || r.ok != (tt.want == "ok") {
			t.Errorf("%q: %q, ok %v; want %q", tt.output, r.doctor, r.ok, tt.want)
		}
	}
}

func TestParseLogNamesTheStepThatDied(t *testing.T) {
	r := parseLog(console("KMATRIX begin a", "KMATRIX end a exit=0", "KMATRIX begin b", "Kernel panic"))
	if r.died != "b" {
		t.Errorf("died in %q, want b", r.died)
	}
}

func TestParseLogCountsTests(t *testing.T) {
	r := parseLog(console("KMATRIX begin loader.test",
		"=== RUN   TestA\r\n--- PASS: TestA (0.00s)\r\n    --- SKIP: TestA/cookie (0.00s)\r\n"+
			"--- FAIL: TestB (0.01s)\r\n--- SKIP: TestC (0.00s)",
		"KMATRIX end loader.test exit=1"))
	if p, f, s := r.count(passed), r.count(failed), r.count(skipped); p != 1 || f != 1 || s != 1 {
		t.Errorf("%d passed, %d failed, %d skipped; want one each", p, f, s)
	}
	if got := r.tests["loader.test TestA/cookie"]; got != skipped {
		t.Errorf("subtest: %q, want %q", got, skipped)
	}
	if got := r.exits["loader.test"]; got != 1 {
		t.Errorf("exit %d, want 1", got)
	}
}

func TestNeverRan(t *testing.T) {
	old := result{tests: map[string]outcome{"x A": skipped, "x B": skipped, "x C": passed}}
	recent := result{tests: map[string]outcome{"x A": failed, "x B": skipped, "x D": skipped}}
	if got, want := neverRan([]result{old, recent}), []string{"x B", "x D"}; !slices.Equal(got, want) {
		t.Errorf("never ran %q, want %q", got, want)
	}
}

// A test that needs a program which no guest has runs in make test, unlike one that no kernel
// supports.
func TestNeverRanLeavesOutWhatOnlyTheHostHas(t *testing.T) {
	skip := func(test, reason string) string {
		return "=== RUN   " + test + "\r\n" +
			"    require.go:67: SKIPPED (needs " + reason + "). To get it: install it\r\n" +
			"--- SKIP: " + test + " (0.00s)"
	}
	r := parseLog(console("KMATRIX begin x",
		skip("TestBpftrace", "bpftrace: not found"), skip("TestPerf", "perf: not found"),
		skip("TestCgo", "a C compiler: none"), skip("TestCookie", "uprobe cookies: Linux 5.15"),
		"KMATRIX end x exit=0", "KMATRIX exit=0"))
	if got, want := neverRan([]result{r}), []string{"x TestCookie"}; !slices.Equal(got, want) {
		t.Errorf("never ran %q, want %q", got, want)
	}
}

func TestSelectKernels(t *testing.T) {
	for _, tt := range []struct {
		arch   string
		filter string
		all    bool
		want   string
	}{
		{"amd64", "", false, "5.10 6.1 6.12 6.12-full 7.x 7.x-full"},
		{"amd64", "", true, "5.10 6.1 6.12 6.12-full 6.16 6.18 7.0 7.x 7.x-full"},
		{"amd64", `^6\.18$`, false, "6.18"},
		{"arm64", "", false, "arm64-6.1 arm64-6.12"},
		{"arm64", `6\.12$`, false, "arm64-6.12"},
	} {
		picked, err := selectKernels(tt.arch, tt.filter, tt.all)
		if err != nil {
			t.Errorf("%q: %v", tt.filter, err)
		}
		if _, known := machines[tt.arch]; !known {
			t.Errorf("nothing emulates %s", tt.arch)
		}
		var names []string
		for _, k := range picked {
			names = append(names, k.name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%q, all %v: %q, want %q", tt.filter, tt.all, got, tt.want)
		}
	}
	for _, bad := range []string{"(", "^9"} {
		if _, err := selectKernels("amd64", bad, false); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// Guests with all tests boot first, those with few last. The ends are of the architecture's kernels
// as shipped.
func TestByLength(t *testing.T) {
	for arch, want := range map[string]string{
		"amd64": "5.10 7.x 6.1 6.12 6.12-full 7.x-full", "arm64": "arm64-6.1 arm64-6.12",
	} {
		picked, err := selectKernels(arch, "", false)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, i := range byLength(picked) {
			names = append(names, picked[i].name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", arch, got, want)
		}
	}
}
