package target

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// cgroup is one that a person means. With version 1 a path may exist in several hierarchies.
type cgroup struct {
	text   string
	places []place
	gone   bool
}

// place is a group in one hierarchy.
type place struct {
	mount *procfs.CgroupMount // of the hierarchy; nil = any, since none shows the group
	path  string              // as in procfs.Group
	dir   string              // relative to the root of the file system; "" = not mounted
}

// has reports whether a process with these groups is in the cgroup, or in one below it.
func (c *cgroup) has(groups []procfs.Group) bool {
	return slices.ContainsFunc(c.places, func(at place) bool {
		return slices.ContainsFunc(groups, func(g procfs.Group) bool {
			return (at.mount == nil || at.mount.Has(g)) && within(g.Path, at.path)
		})
	})
}

// removed reports whether the cgroup is in no hierarchy any more.
func (c *cgroup) removed(root fs.FS) bool {
	return !slices.ContainsFunc(c.places, func(at place) bool { return at.dir == "" || isDir(root, at.dir) })
}

// within reports whether a path is another or below it.
func within(group, above string) bool {
	if up, rest := outside(above); rest == "/" { // the root, or above it
		groupUp, _ := outside(group)
		return groupUp <= up
	}
	rest, ok := strings.CutPrefix(group, above)
	return ok && (rest == "" || rest[0] == '/')
}

// outside counts the parts /.. at the beginning of a path.
func outside(group string) (up int, rest string) {
	for rest = group; rest == "/.." || strings.HasPrefix(rest, "/../"); up++ {
		rest = cmp.Or(rest[len("/.."):], "/")
	}
	return up, rest
}

func isDir(root fs.FS, name string) bool {
	info, err := fs.Stat(root, name)
	return err == nil && info.IsDir()
}

const asDir = 0 // of cgroupWays

// cgroupWays are the ways in which a person may write a cgroup. Each makes a path below the directory of a mount.
var cgroupWays = []func(m *procfs.CgroupMount, text, group string) (inside string, ok bool){
	func(m *procfs.CgroupMount, text, group string) (string, bool) { // asDir
		rest, ok := strings.CutPrefix(group, "/"+m.Dir)
		return path.Clean("/" + rest), ok && text[0] == '/' && (rest == "" || rest[0] == '/')
	},
	func(m *procfs.CgroupMount, _, group string) (string, bool) { return m.Inside(group) }, // as in /proc/PID/cgroup
	func(m *procfs.CgroupMount, text, group string) (string, bool) { return group, text[0] != '/' },
}

// findCgroup finds a cgroup by its directory, or by its path in a hierarchy as /proc/PID/cgroup has it.
func findCgroup(root fs.FS, text string, running []Process) (*cgroup, error) {
	if text == "" {
		return nil, &ChoiceError{"cgroup", text, "want the path of a cgroup, such as /sys/fs/cgroup/system.slice"}
	}
	group := path.Clean("/" + text)
	if strings.HasPrefix(text, "/..") {
		group = strings.TrimSuffix(text, "/") // outside this cgroup namespace
	}
	found, mounts := &cgroup{text: text}, procfs.CgroupMounts(root)
	var looked []string
	for i, way := range cgroupWays {
		for j := range mounts {
			m := &mounts[j]
			inside, ok := way(m, text, group)
			if !ok {
				continue
			}
			dir := path.Join(m.Dir, inside)
			if i == asDir {
				looked = append(looked, "for /"+dir)
			} else {
				looked = append(looked, "below /"+m.Dir)
			}
			if isDir(root, dir) {
				in := strings.TrimSuffix(m.Root, "/") + strings.TrimSuffix(inside, "/")
				found.places = append(found.places, place{m, cmp.Or(in, "/"), dir})
			}
		}
		if len(found.places) > 0 {
			return found, nil
		}
		if i == asDir && len(looked) > 0 {
			break
		}
	}
	found.places = []place{{path: group}}
	if slices.ContainsFunc(running, func(p Process) bool { return found.has(p.groups) }) {
		return found, nil
	}
	if len(mounts) == 0 {
		return nil, &ChoiceError{"cgroup", text, "no process is in such a cgroup, and no cgroups are mounted here"}
	}
	return nil, &ChoiceError{"cgroup", text, "no such cgroup; looked " + some(looked)}
}
