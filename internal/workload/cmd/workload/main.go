// Command workload runs one of pinwatch's workloads, for tests and for toolchains that can't build
// pinwatch.
package main

import (
	"os"

	"github.com/pinwatch/pinwatch/internal/workload/catalog"
)

func main() {
	os.Exit(catalog.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
