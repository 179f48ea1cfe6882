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
// executable, or by its main package where go has built the tool itself, into the build cache
// (cmd/go/internal/tool, buildAndRunBuiltinTool). A program of the user's may have such a name, and go
// run puts it there too.
func BuildTool(file, main string) bool {
	if name, is := strings.CutPrefix(main, "cmd/"); is && slices.Contains(toolNames, name) {
		return true
	}
	// $GOROOT/pkg/tool/GOOS_GOARCH/NAME
	platform := path.Dir(path.Clean(file))
	tool := path.Dir(platform)
	return path.Base(tool) == "tool" && path.Base(path.Dir(tool)) == "pkg" && strings.Contains(path.Base(platform), "_")
}
