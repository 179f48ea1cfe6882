//go:build go1.16
// +build go1.16

package workload

import "embed"

// Sources are the sources of this package and its commands, so that a program that has no others can build them by another release of
// Go.
//
//go:embed *.go cmd
var Sources embed.FS
