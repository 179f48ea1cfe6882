package main

import (
	"strings"

	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/pinwatch/pinwatch/vet"
)

// asVettool recognises the go command. It calls the program that -vettool names with -V=full, with
// -flags, and then, for each package, with flags and the file that describes it. No command of
// pinwatch begins with a dash or ends in .cfg.
func asVettool(args []string) bool {
	if len(args) < 2 {
		return false
	}
	return args[1] == "-V=full" || args[1] == "-flags" || strings.HasSuffix(args[len(args)-1], ".cfg")
}

// runVettool answers the go command. It reads the arguments of the process and ends the process.
func runVettool() int {
	unitchecker.Main(vet.Analyzer)
	return exitOK
}
