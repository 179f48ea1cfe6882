package summary

import (
	"path"
	"slices"
	"strings"
)

// toolNames are the programs that the go command runs for build, test and vet. It has them in
// $GOROOT/pkg/tool, or elsewhere where GOTOOLDIR is set.
var toolNames = []string{"asm", "buildid", "cgo", "compile", "covdata", "cover", "fix", "link", "pack", "preprofile",
	"vet"}

// BuildTool reports whether a process is a tool of a Go build, such as its compiler: by the path of its
// executable. If that is not known, it is by its name and that of the executable that started it: a
// program of the user's, under go run, may have such a name too.
func BuildTool(file, name, parent string) bool {
	if file == "" {
		return parent == "go" && slices.Contains(toolNames, name)
	}
	// $GOROOT/pkg/tool/GOOS_GOARCH/NAME
	platform := path.Dir(path.Clean(file))
	tool := path.Dir(platform)
	return path.Base(tool) == "tool" && path.Base(path.Dir(tool)) == "pkg" && strings.Contains(path.Base(platform), "_")
}
