package witness

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// bpftrace has written more than a pipe holds (64 KiB, pipe(7)) when it is asked to end, and none
// of it has been read.
func TestOutputIsWhole(t *testing.T) {
	const written = 128 << 10
	const script = `tracepoint:sched:sched_switch /pid == %d/ { printf("%s\n"); } END { printf("end\n"); }`
	b := startBpftrace(t, fmt.Sprintf(script, os.Getpid(), strings.Repeat("switch ", 30)), "full", 64)
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Microsecond) { // each is a switch
		output, err := b.output.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if output.Size() > written {
			break
		}
		if b.ended() || time.Now().After(deadline) {
			b.kill()
			t.Fatalf("bpftrace wrote %d bytes; stderr: %s", output.Size(), &b.stderr)
		}
	}
	if err := b.end(t); err != nil {
		t.Fatalf("%v; stderr: %s", err, &b.stderr)
	}
	last := ""
	for sc := bufio.NewScanner(b); sc.Scan(); {
		if sc.Text() != "" {
			last = sc.Text()
		}
	}
	if last != "end" {
		t.Errorf("the last line is %q", last)
	}
}
