package verify

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pinwatch/pinwatch/internal/workbuild"
)

//go:embed sources/control.c
var controlSource []byte

// control times clone, exit and tgkill of a C program without Go.
func control(r *run) error {
	program, err := r.lab.Control(r)
	if err != nil {
		return unableError("the control without Go can't be built: " + err.Error())
	}
	var out []byte
	if err := confined(r.lab.CPUs, func() (err error) {
		out, err = exec.CommandContext(r, program).Output()
		return err
	}); err != nil {
		return fmt.Errorf("run the control: %w", err)
	}
	var times map[string][]float64
	if err := json.Unmarshal(out, &times); err != nil {
		return fmt.Errorf("read the control: %w", err)
	}
	for name, ns := range times {
		r.sample(name, ns)
	}
	r.Workloads = []string{"control.c"}
	r.Source = "the clock of a C program without Go"
	return nil
}

// control builds the C program.
func (b *builder) control(ctx context.Context) (program string, err error) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		return "", workbuild.ErrNoCompiler
	}
	if err := b.makeDir(); err != nil {
		return "", err
	}
	source := filepath.Join(b.dir, "control.c")
	program = strings.TrimSuffix(source, ".c")
	if err := os.WriteFile(source, controlSource, 0o644); err != nil {
		return "", err
	}
	if text, err := exec.CommandContext(ctx, gcc, "-O2", "-pthread", "-o", program, source).CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(strings.TrimSpace(string(text))))
	}
	return program, nil
}
