//go:build go1.16
// +build go1.16

package workload

import "embed"

// Sources are the sources of this package and of all folders that are compiled into a workload. A
// program that has no other sources builds the workloads from them by another release of Go.
//
//go:embed *.go catalog cmd probe program trial work
var Sources embed.FS
