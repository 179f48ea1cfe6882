package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/report"
	"github.com/pinwatch/pinwatch/internal/report/schematest"
	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/verify"
)

// verdicts runs verify with JSON and returns the exit code and each statement's verdict.
func verdicts(t *testing.T, args ...string) (int, map[string]report.StatementVerdict, *report.Verdicts) {
	t.Helper()
	code, out, errs := pinwatch(t, append([]string{"verify", "-o", "json"}, args...)...)
	if err := schematest.CheckVerdicts([]byte(out)); err != nil {
		t.Fatalf("%v; exit code %d, stderr %s", err, code, errs)
	}
	var v report.Verdicts
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatal(err)
	}
	rows := map[string]report.StatementVerdict{}
	for _, row := range v.Verdicts {
		rows[row.ID] = row
	}
	return code, rows, &v
}

func TestVerifyMistakes(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, tt := range []struct {
		words []string
		args  []string
	}{
		{[]string{`"P-11"`, "did you mean", "P-1"}, []string{"verify", "--only", "P-11"}},
		{[]string{`"X9"`, "did you mean", "X-"}, []string{"explain", "X9"}},
		{[]string{`"P-8 P-9"`, "did you mean"}, []string{"explain", "P-8", "P-9"}},
		{[]string{"needs ids"}, []string{"verify", "--only", ","}},
		{[]string{"no such format"}, []string{"verify", "-o", "yaml"}},
		{[]string{"--repeat"}, []string{"verify", "--repeat", "0"}},
		{[]string{"--go", "1.x"}, []string{"verify", "--go", "go1.x"}},
		{[]string{"--cpus"}, []string{"verify", "--cpus", "3-1"}},
		{[]string{"--cpus", "1024"}, []string{"verify", "--cpus", "0-1024"}},
		{[]string{"--cpus needs"}, []string{"verify", "--cpus", ", "}},
		{[]string{"no arguments"}, []string{"verify", "P-8"}},
		{[]string{"--cpus", "can't use CPU 1023", "may use 0"}, []string{"verify", "--cpus", "0,1023"}},
		{[]string{"--env needs"}, []string{"verify", "--env", ","}},
		{[]string{"--env", "GOGC", "not set"}, []string{"verify", "--env", "GOGC"}},
		{[]string{"--env", "go command", "GODEBUG, GOGC"}, []string{"verify", "--env", "GOFLAGS"}},
		{[]string{"--env", "anyway"}, []string{"verify", "--env", "PATH"}},
		{[]string{"--env", "name alone"}, []string{"verify", "--env", "GODEBUG=x=1"}},
		{[]string{"--goroot", "no Go tree", "proc.go"}, []string{"verify", "--goroot", t.TempDir()}},
		{[]string{"--goroot needs"}, []string{"verify", "--goroot", ""}},
		{[]string{"--go and --goroot"}, []string{"verify", "--goroot", "/", "--go", "go1.21.13"}},
		{[]string{"--allow-inconclusive", "--expect"}, []string{"verify", "--allow-inconclusive", "1"}},
		{[]string{"--allow-other-host", "--expect"}, []string{"verify", "--allow-other-host"}},
		{[]string{"--allow-inconclusive", "from 0"}, []string{"verify", "--allow-inconclusive", "-1", "--expect", "x"}},
	} {
		wrong(t, exitUsage, tt.words, tt.args...)
	}
}

// TestExplainUnknown: only words that are like the unknown one are suggested, each once.
func TestExplainUnknown(t *testing.T) {
	if _, _, stderr := pinwatch(t, "explain", "hand-of"); !strings.Contains(stderr, "did you mean hand-off") ||
		strings.Count(stderr, "handler") > 1 {
		t.Error(stderr)
	}
	if _, _, stderr := pinwatch(t, "explain", "xyzzyqwertz"); strings.Contains(stderr, "did you mean") {
		t.Error(stderr)
	}
}

func TestBaselines(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := write("other", `{"schema": "pinwatch.verdicts/v9", "verdicts": 3}`)
	wrong(t, exitError, []string{"--expect", "verdicts/v9", "make a new baseline"},
		"verify", "--only", "G-3", "--expect", other)
	none := filepath.Join(dir, "none")
	wrong(t, exitError, []string{"--expect", "no such file"}, "verify", "--only", "G-3", "--expect", none)
	wrong(t, exitError, []string{"--expect", "JSON"}, "verify", "--only", "G-3", "--expect", write("text", "✔ G-3"))

	dirty := write("dirty",
		`{"schema": "pinwatch.baseline/v1", "pinwatch": "v1-3-g1a2b3c4-dirty", "verdicts": {"G-3": "holds"}}`)
	wrong(t, exitError, []string{"--expect", "1a2b3c4-dirty", "clean build"}, "verify", "--only", "G-3", "--expect", dirty)

	empty := write("empty", `{"schema": "pinwatch.baseline/v1"}`)
	wrong(t, exitError, []string{"--expect", "no verdicts"}, "verify", "--only", "G-3", "--expect", empty)
	wrong(t, exitUsage, []string{"--expect", "file name"}, "verify", "--only", "G-3", "--expect=")

	devel := write("devel", `{"schema": "pinwatch.baseline/v1", "pinwatch": "devel", "verdicts": {"G-3": "holds"}}`)
	wrong(t, exitError, []string{"--expect", `"devel"`, "no commit"}, "verify", "--only", "G-3", "--expect", devel)
	unnamed := write("unnamed", `{"schema": "pinwatch.baseline/v1", "verdicts": {"G-3": "holds"}}`)
	wrong(t, exitError, []string{"--expect", `""`, "no commit"}, "verify", "--only", "G-3", "--expect", unnamed)

	old := version
	t.Cleanup(func() { version = old })
	version = "1a2b3c4"
	same := filepath.Join(dir, "same")
	code, _, errs := pinwatch(t, "verify", "--only", "G-3,M-1", "-o", "baseline", "--out", same)
	if code != exitContract {
		t.Fatalf("exit code %d with a refuted statement: %s", code, errs)
	}
	b, err := os.ReadFile(same)
	if err != nil {
		t.Fatal(err)
	}
	with := func(g3 string) string { return write(g3, strings.Replace(string(b), `"G-3": "holds"`, g3, 1)) }
	for _, tt := range []struct {
		baseline string
		code     int
		words    []string
	}{
		{same, exitOK, []string{"2 as in the baseline, 0 changed"}},
		{with(`"G-3": "refuted"`), exitContract,
			[]string{"G-3 (" + verify.BuiltinRelease() + "): CHANGED to holds, was refuted", "1 changed"}},
		{with(`"G-3": "inconclusive"`), exitOK,
			[]string{"G-3", "holds, was inconclusive", "0 changed, 1 not decided in one of them"}},
		{with(`"G-4": "holds"`), exitContract, []string{"does not know G-3", "1 not in the baseline"}},
	} {
		code, _, errs := pinwatch(t, "verify", "--only", "G-3,M-1", "--expect", tt.baseline)
		if code != tt.code || !hasAll(errs, tt.words) {
			t.Errorf("exit code %d, want %d; %q lacks one of %q", code, tt.code, errs, tt.words)
		}
	}
}

// TestBaselineOfAnotherMachine: where a verdict has changed, the output names the baseline's
// machine and release if they differ.
func TestBaselineOfAnotherMachine(t *testing.T) {
	refuted := report.StatementVerdict{ID: "G-3", Verdict: contract.Refuted, Got: "3 of 4"}
	v := &report.Verdicts{GoVersion: "go1.26.8", Verdicts: []report.StatementVerdict{refuted}}
	var errs bytes.Buffer
	expect := &report.Baseline{
		GoVersion: "go1.21.13", Host: "Linux 6.1", Verdicts: map[string]string{"G-3": contract.Holds},
	}
	compare := func() error {
		vs := []*report.Verdicts{v}
		return compareVerdicts(streams{err: &errs}, expect, expect.Compare(vs, report.Allowed{Host: true, Release: true}), vs)
	}
	err := compare()
	if !errors.Is(err, status(exitContract)) || !hasAll(errs.String(), []string{"3 of 4", "go1.21.13 on Linux 6.1"}) {
		t.Errorf("%v: %s", err, &errs)
	}
	v.Verdicts[0].Verdict, v.Interrupted = contract.Holds, true
	errs.Reset()
	err = compare()
	if !errors.Is(err, status(exitInconclusive)) || strings.Contains(errs.String(), "go1.21.13") {
		t.Errorf("interrupted: %v: %s", err, &errs)
	}
}

func hasAll(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

func TestExplain(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	explain := func(want ...string) {
		t.Helper()
		code, out, errs := pinwatch(t, "explain", "g-3")
		for _, w := range want {
			if code != exitOK || errs != "" || !strings.Contains(out, w) {
				t.Errorf("exit code %d, stderr %q; no %q in %s", code, errs, w, out)
			}
		}
	}
	explain("none yet")
	code, rows, _ := verdicts(t, "--only", "G-3")
	if code != exitOK || rows["G-3"].Verdict != contract.Holds || len(rows) != 1 {
		t.Fatalf("exit code %d, %+v", code, rows)
	}
	explain("verdict     holds", verify.BuiltinRelease(), "again       pinwatch verify --only G-3")
	code, out, _ := pinwatch(t, "explain")
	for _, s := range contract.Statements() {
		if code != exitOK || !strings.Contains(out, s.ID+" ") {
			t.Errorf("exit code %d, the list lacks %s", code, s.ID)
		}
	}
}

// Verdicts that can't be written, as on a full disk, are kept for explain: they took minutes.
func TestVerdictsOutliveAFullDisk(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	wrong(t, exitError, []string{"/dev/full", "no space left"}, "verify", "--only", "M-3", "--out", "/dev/full")
	if _, out, _ := pinwatch(t, "explain", "M-3"); !strings.Contains(out, "verdict     holds") {
		t.Errorf("not kept: %s", out)
	}
}

// TestVerifyInterrupted: an interrupted run prints the verdicts it has reached, reports that it was
// interrupted, and keeps them for explain.
func TestVerifyInterrupted(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	cmd := process("verify", "--only", "G-3,G-1,N-4", "-o", "json")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for !hasChild(cmd.Process.Pid, "grow") { // the last experiment's workload
		time.Sleep(time.Millisecond)
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			t.Fatal("no workload of N-4")
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit code is below
	var v report.Verdicts
	if err := json.Unmarshal(out.Bytes(), &v); err != nil || len(v.Verdicts) != 3 {
		t.Fatalf("%v: %s", err, out.String())
	}
	done, not := &v.Verdicts[1], &v.Verdicts[2]
	if !v.Interrupted || done.Verdict != contract.Holds || v.NotDone(done) || !v.NotDone(not) {
		t.Errorf("interrupted: %t, %+v", v.Interrupted, v.Verdicts)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitInconclusive {
		t.Errorf("exit code %d", code)
	}
	for id, want := range map[string]string{"G-3": "verdict     holds", "N-4": "none yet"} {
		if _, text, _ := pinwatch(t, "explain", id); !strings.Contains(text, want) {
			t.Errorf("explain %s lacks %q: %s", id, want, text)
		}
	}
}

// hasChild reports whether a process has a child with an argument.
func hasChild(pid int, argument string) bool {
	for _, p := range procfs.Processes() {
		if stat, err := procfs.Process(p).Stat(); err == nil && stat.Parent == pid {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p))
			return slices.Contains(strings.Split(string(line), "\x00"), argument)
		}
	}
	return false
}

// TestUnavailableRelease: a release that can't be fetched is an error, and the others are still
// tested.
func TestUnavailableRelease(t *testing.T) {
	testenv.Require(t, testenv.Toolchain)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("GOPROXY", "off")
	code, out, errs := pinwatch(t, "verify", "--only", "G-3", "--go", "go1.99.1,"+verify.BuiltinRelease())
	if code != exitError || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "1.99.1") ||
		!strings.Contains(out, verify.BuiltinRelease()) {
		t.Errorf("exit code %d, %s, %s", code, out, errs)
	}
}

func TestVerifyKernel(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	_, rows, v := verdicts(t, "--only", "G-4,P-8,O-linux")
	for id, row := range rows {
		if row.Verdict == contract.NotTestable || row.Verdict == contract.Refuted || row.N == 0 {
			t.Errorf("%s: %+v", id, row)
		}
	}
	if len(rows) != 3 || v.GoVersion != verify.BuiltinRelease() || v.Interrupted {
		t.Errorf("%d verdicts by %s, interrupted: %t", len(rows), v.GoVersion, v.Interrupted)
	}
}

// TestVerifyWithoutAsyncPreemption: without preemption by signals, the statements that rest on it
// are refuted.
func TestVerifyWithoutAsyncPreemption(t *testing.T) {
	testenv.Require(t, testenv.BPF)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("GODEBUG", "asyncpreemptoff=1")
	code, rows, _ := verdicts(t, "--only", "P-5,V-1.14", "--env", "GODEBUG")
	if code != exitContract || rows["P-5"].Verdict != contract.Refuted || rows["V-1.14"].Verdict != contract.Refuted {
		t.Errorf("exit code %d; P-5 %s, V-1.14 %s: %s",
			code, rows["P-5"].Verdict, rows["V-1.14"].Verdict, rows["P-5"].Got)
	}
}

// TestVerifyUnprivileged: without privileges, statements that need kernel events are not testable,
// and the others are tested.
func TestVerifyUnprivileged(t *testing.T) {
	testenv.Require(t, testenv.BPF)                         // as root
	dir, err := os.MkdirTemp("", "pinwatch-unprivileged-*") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	exe, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, "pinwatch"), exe, 0o755), os.Chmod(dir, 0o777))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "pinwatch"), "verify", "--only", "P-8,G-3,P-5", "-o", "json")
	cmd.Env = append(os.Environ(), asPinwatch+"=1", "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "HOME="+dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if text := errs.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "CAP_PERFMON") ||
		!strings.HasPrefix(text, "pinwatch: 2 of 3 not testable: ") {
		t.Errorf("want one line: %q", text)
	}
	var v report.Verdicts
	if jsonErr := json.Unmarshal(out, &v); err != nil || jsonErr != nil {
		t.Fatalf("%v; %v: %s", jsonErr, err, out)
	}
	for _, row := range v.Verdicts {
		want := contract.NotTestable
		if row.ID == "G-3" {
			want = contract.Holds
		}
		if row.Verdict != want || want == contract.NotTestable && !strings.Contains(row.Why, "CAP_BPF") {
			t.Errorf("%s: %s, %s", row.ID, row.Verdict, row.Why)
		}
	}
}

// The workloads get no setting of the runtime, but for those that --env hands them. What they got is
// named at the top, and reproduce has it, like every other option.
func TestSettings(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("GODEBUG", "asyncpreemptoff=1,nosuchsetting=2")
	t.Setenv("GOMAXPROCS", "7")
	_, rows, v := verdicts(t, "--only", "M-3")
	if len(v.Environment.Settings) != 0 || v.Environment.Cleared["GOMAXPROCS"] != "7" ||
		rows["M-3"].Reproduce != "pinwatch verify --only M-3" {
		t.Errorf("%+v; again %s", v.Environment, rows["M-3"].Reproduce)
	}
	_, rows, v = verdicts(t, "--only", "M-3", "--env", "GODEBUG", "--cpus", "0", "--repeat", "2")
	const again = "GODEBUG=asyncpreemptoff=1,nosuchsetting=2 pinwatch verify --only M-3 --env GODEBUG --cpus 0 --repeat 2"
	if got := rows["M-3"].Reproduce; got != again || !slices.Equal(v.Environment.CPUs, []int{0}) {
		t.Errorf("again %q, want %q; CPUs %v", got, again, v.Environment.CPUs)
	}
	if notes := strings.Join(v.Environment.Notes, " "); strings.Contains(notes, "asyncpreemptoff") ||
		!strings.Contains(notes, `"nosuchsetting"`) && !strings.Contains(notes, "source is not here") {
		t.Errorf("notes %q", notes)
	}
	if _, out, _ := pinwatch(t, "verify", "--only", "M-3", "--env", "GODEBUG"); !strings.Contains(out,
		"asyncpreemptoff=1,nosuchsetting=2, handed to the workloads") {
		t.Errorf("no word of it in %s", out)
	}
}

// A Go tree builds the workloads. One whose build fails is an error that has the compiler's words.
func TestGoroot(t *testing.T) {
	testenv.Require(t, testenv.Toolchain)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	goroot := strings.TrimSpace(string(out))
	code, rows, v := verdicts(t, "--only", "M-3", "--goroot", goroot)
	if code != exitOK || !strings.HasSuffix(rows["M-3"].Reproduce, " --goroot "+goroot) ||
		!strings.HasPrefix(v.GoVersion, "go1.") && !strings.HasPrefix(v.GoVersion, "devel") {
		t.Errorf("exit code %d, %s, %+v", code, v.GoVersion, rows["M-3"])
	}
	for _, p := range rows["M-3"].Evidence.Source {
		if p.Line == nil || p.Release == nil || *p.Release != v.GoVersion {
			t.Errorf("no line: %v", p)
		}
	}
	broken := t.TempDir()
	for name, text := range map[string]string{
		"src/runtime/proc.go": "package runtime\n",
		"bin/go": "#!/bin/sh\nif [ \"$1\" = env ]; then echo devel go1.28-1a2b3c4 Mon; exit; fi\n" +
			"echo 'proc.go:1:1: syntax error' >&2; exit 1\n",
	} {
		name = filepath.Join(broken, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	wrong(t, exitError, []string{"build workload", "Go 1.28", "syntax error"}, "verify", "--only", "M-3", "--goroot",
		broken)
}

// Who writes a baseline with a build that is no commit is told at once.
func TestDirtyBaseline(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	old := version
	t.Cleanup(func() { version = old })
	for v, want := range map[string]bool{"v1-2-g1a2b3c4-dirty": true, "v1.0.0+dirty": true, "devel": true,
		"1a2b3c4": false} {
		version = v
		_, _, errs := pinwatch(t, "verify", "--only", "M-3", "-o", "baseline")
		if got := strings.Contains(errs, "will refuse this baseline"); got != want {
			t.Errorf("%s: %q", v, errs)
		}
	}
}
