//go:build withcgo
// +build withcgo

package main

import _ "runtime/cgo" // what any import "C" links in; assembly and import "C" do not go together in one package
