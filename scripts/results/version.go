package results

import (
	"os/exec"
	"strings"
)

// Version is the version of the tree in the current folder: that of the Makefile, but changes of
// the results themselves do not make it dirty. No program contains them.
func Version() string {
	out, err := exec.Command("git", "describe", "--tags", "--always").Output()
	if err != nil {
		return "devel"
	}
	version := strings.TrimSpace(string(out))
	changed, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no", "--", ":/",
		":(exclude,top)"+folder, ":(exclude,top)"+document, ":(exclude,top)"+folkloreDocument).Output()
	if err != nil || len(changed) > 0 {
		version += "-dirty"
	}
	return version
}
