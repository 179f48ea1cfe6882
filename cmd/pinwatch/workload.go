package main

import (
	"io"

	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/catalog"
)

// workloadCommand is the command by which pinwatch starts itself as the process to observe. It is
// not in the help.
const workloadCommand = workload.Command

func isWorkload(args []string) bool { return len(args) > 1 && args[1] == workloadCommand }

func runWorkload(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return catalog.Main(args, stdin, stdout, stderr)
}
