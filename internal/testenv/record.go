package testenv

import (
	"fmt"
	"runtime"
	"testing"
)

// Recorder is a testing.TB that records what is done to it. Methods that it does not have panic.
type Recorder struct {
	testing.TB
	SkipText  string   // of the skip; "" = not skipped
	FatalText string   // of the fatal error; "" = none
	Errors    []string // the other errors
	Logs      []string // lines logged
	cleanups  []func()
}

// Record runs a test up to its end, skip or fatal error, and then its cleanups.
func Record(test func(testing.TB)) *Recorder {
	r := &Recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(r)
	}()
	<-done
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
	return r
}

// Helper does nothing.
func (r *Recorder) Helper() {}

// Cleanup has f called by Record after the test.
func (r *Recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// Errorf records an error.
func (r *Recorder) Errorf(format string, args ...any) {
	r.Errors = append(r.Errors, fmt.Sprintf(format, args...))
}

// Logf records a line.
func (r *Recorder) Logf(format string, args ...any) {
	r.Logs = append(r.Logs, fmt.Sprintf(format, args...))
}

// Fatal records the fatal error and ends the test.
func (r *Recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }

// Fatalf records the fatal error and ends the test.
func (r *Recorder) Fatalf(format string, args ...any) {
	r.FatalText = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// Skipf records the skip and ends the test.
func (r *Recorder) Skipf(format string, args ...any) {
	r.SkipText = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
