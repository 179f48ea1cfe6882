// Package library breaks the rules that scripts/lint adds to the linters it runs.
package library

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"testing"
)

func forbidden(t *testing.T, tb testing.TB, l *log.Logger) {
	t.Skip("x")    // want `\(\*testing.common\).Skip: skip through internal/testenv`
	tb.Skipf("x")  // want `\(testing.TB\).Skipf: skip through internal/testenv`
	tb.SkipNow()   // want `\(testing.TB\).SkipNow: skip through internal/testenv`
	log.Panic("x") // want `log.Panic: libraries return errors`
	l.Fatalf("x")  // want `\(\*log.Logger\).Fatalf: libraries return errors`
	os.Exit(1)     // want `os.Exit: libraries return errors; only a main.go ends the process`
}

func unchecked(w io.WriteCloser, cmd *exec.Cmd) {
	fmt.Fprintln(w, "x")
	_ = os.Remove("x")
	defer w.Close()
	cmd.Process.Kill()
	cmd.Wait()
	w.Write(nil)      // want `error of w.Write is not checked`
	os.Mkdir("x", 0)  // want `error of os.Mkdir is not checked`
	defer cmd.Start() // want `error of cmd.Start is not checked`
}
