package measure

import (
	"fmt"
	"os/exec"
	"syscall"
)

// StartHogs starts n processes that each keep one CPU busy, and returns what ends them. They end
// with this process too.
func StartHogs(n int) (stop func(), err error) {
	var hogs []*exec.Cmd
	stop = func() {
		for _, h := range hogs {
			_ = h.Process.Kill()
			_ = h.Wait()
		}
	}
	for range n {
		// The loop ends by itself within a second or so of its parent's end, in whatever way that
		// came.
		h := exec.Command("sh", "-c", "while kill -0 $PPID; do i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; done")
		h.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this program, which ends them
		if err := h.Start(); err != nil {
			stop()
			return nil, fmt.Errorf("start a CPU hog: %w", err)
		}
		hogs = append(hogs, h)
	}
	return stop, nil
}
