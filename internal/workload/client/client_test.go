package client

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/catalog"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// asWorkload makes the test binary a workload.
const asWorkload = "PINWATCH_TEST_AS_WORKLOAD"

func TestMain(m *testing.M) {
	if os.Getenv(asWorkload) != "" {
		os.Exit(catalog.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func options() Options {
	return Options{Program: []string{os.Args[0]}, Env: []string{asWorkload + "=1"}}
}

func start(t *testing.T, args ...string) *Process {
	t.Helper()
	p, err := Start(t.Context(), options(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if want := (workload.Ready{Ready: true, PID: p.PID, Name: args[0]}); p.Ready != want {
		t.Fatalf("first line is %+v, want %+v", p.Ready, want)
	}
	return p
}

func TestProgram(t *testing.T) {
	p := start(t, "depth", "-hold")
	if err := p.Go(); err != nil {
		t.Fatal(err)
	}
	a, err := p.Step()
	if err != nil || len(a.Pins) != 5 || a.End != 0 {
		t.Fatalf("step: %+v, %v", a, err)
	}
	rest, err := p.Quiesce()
	if err != nil || rest.End <= rest.Start {
		t.Fatalf("quiesce: %+v, %v", rest, err)
	}
	last, err := p.Stop()
	if err != nil || last.End != rest.End {
		t.Errorf("stop: %+v, %v", last, err)
	}
	if err := p.cmd.Process.Signal(os.Interrupt); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the process lives after Stop: %v", err)
	}
	if err := p.End(); err != nil {
		t.Errorf("End after Stop: %v", err)
	}
}

func TestTrial(t *testing.T) {
	p, err := Start(t.Context(), options(), "migrate", "-samples", "5")
	if err != nil {
		t.Fatal(err)
	}
	var a trial.Migrate
	if err := p.Read(&a); err != nil || len(a.Stretches) != 4 {
		t.Errorf("%d stretches, %v", len(a.Stretches), err)
	}
	if err := p.End(); err != nil {
		t.Error(err)
	}
}

// A workload that fails is reported with what it printed on stderr.
func TestFailure(t *testing.T) {
	_, err := Start(t.Context(), options(), "churn", "-rate", "none")
	if err == nil || !strings.Contains(err.Error(), "workload churn: read: EOF: ") ||
		!strings.Contains(err.Error(), "invalid value") {
		t.Errorf("%v", err)
	}
	if _, err := Start(t.Context(), Options{Program: []string{"/no/such/program"}}, "idle"); err == nil {
		t.Error("started a program that does not exist")
	}
	if _, err := Start(t.Context(), Options{Program: []string{"/bin/echo", `{"ready":false}`}}, ""); err == nil {
		t.Error("a line that is not ready passed")
	}
}

// The last account is discarded even if the deadline of the last line that was read is long over.
func TestEndAfterLongActivity(t *testing.T) {
	p := start(t, "idle")
	if err := p.pipe.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := p.End(); err != nil {
		t.Error(err)
	}
}

// A workload ends with its context, and then has no account.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := Start(ctx, options(), "idle")
	if err != nil {
		t.Fatal(err)
	}
	cancel() // the kill comes a moment later
	for begin := time.Now(); err == nil; _, err = p.Quiesce() {
		if time.Since(begin) > Patience {
			t.Fatal("the process still answers")
		}
	}
}
