// Command workload runs one of the workloads of package workload, for tests and for toolchains that can't build pinwatch.
package main

import (
	"os"

	"github.com/pinwatch/pinwatch/internal/workload"
)

func main() {
	os.Exit(workload.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
