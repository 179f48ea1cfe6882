package target

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Container is what is known of a container. "" = not known.
type Container struct {
	ID        string `json:"id,omitempty"` // 64 hexadecimal digits; LXC and systemd-nspawn have names only
	Name      string `json:"name,omitempty"`
	Runtime   string `json:"runtime,omitempty"` // docker, containerd, cri-o, podman, lxc or systemd-nspawn
	Hostname  string `json:"hostname,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Namespace string `json:"namespace,omitempty"` // of the pod
	PodUID    string `json:"pod_uid,omitempty"`   // in podman the pod's id
}

// shortID is the length of an id as docker ps and crictl ps print it; twelve and thirteen.
const shortID = 12

// String is a short name for people: the pod's and the container's, the name, or the beginning of the id.
func (c *Container) String() string {
	name := cmp.Or(c.Name, c.ID[:min(shortID, len(c.ID))])
	if c.Pod != "" {
		return c.Pod + "/" + name
	}
	return name
}

// key tells containers apart.
func (c *Container) key() string { return cmp.Or(c.ID, c.Runtime+" "+c.Name) }

// runtimes have their names in front of the id, in the name of a cgroup.
var runtimes = map[string]string{
	"docker": "docker", "cri-containerd": "containerd", "nerdctl": "containerd", "crio": "cri-o", "libpod": "podman",
	"libpod-payload": "podman", "": "",
}

// Containers lists the containers in the path of a cgroup, the outermost first.
func Containers(path string) (found []Container) {
	if path == "/" {
		return nil
	}
	parent, pod := "", ""
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if isID(part) && podmanPod(parent, parts[i+1:]) {
			pod, parent = part, part
			continue
		}
		c, ok := container(parent, part)
		pod = cmp.Or(podUID(part), pod)
		if ok {
			c.PodUID, pod = pod, ""
			found = append(found, c)
		}
		parent = part
	}
	return found
}

// podmanPod reports whether an id is that of a pod of podman, by the parts before and behind it: the pod has the
// cgroups of its containers, and of their monitors.
func podmanPod(parent string, below []string) bool {
	if parent == "docker" || podUID(parent) != "" { // podman runs in the container
		return false
	}
	return parent == "libpod_parent" || len(below) > 0 && (below[0] == "conmon" || strings.HasPrefix(below[0], "libpod-"))
}

// container reads one part of a path.
func container(parent, part string) (c Container, ok bool) {
	name, isScope := strings.CutSuffix(part, ".scope")
	if fields := strings.Split(part, ":"); len(fields) == 3 { // SLICE:PREFIX:ID
		name = fields[1] + "-" + fields[2]
	}
	if at := len(name) - idLength; at >= 0 && isID(name[at:]) {
		prefix := strings.TrimSuffix(name[:at], "-")
		c.ID = name[at:]
		c.Runtime, ok = runtimes[prefix]
		if prefix == "" && parent == "docker" {
			c.Runtime = "docker"
		}
		return c, ok || isScope && !strings.HasSuffix(prefix, "conmon")
	}
	c.Runtime = "lxc"
	if name, ok := strings.CutPrefix(part, "lxc.payload."); ok && name != "" {
		c.Name = name
		return c, true
	}
	if (parent == "lxc" || parent == "lxc.payload") && part != "" {
		c.Name = part
		return c, true
	}
	c.Runtime = "systemd-nspawn"
	if name, ok := strings.CutPrefix(part, "machine-"); ok && isScope {
		c.Name = unescapeUnit(strings.TrimSuffix(name, ".scope"))
		return c, !strings.HasPrefix(c.Name, "qemu-") // a virtual machine
	}
	if name, ok := strings.CutPrefix(part, "systemd-nspawn@"); ok && strings.HasSuffix(name, ".service") {
		c.Name = unescapeUnit(strings.TrimSuffix(name, ".service"))
		return c, true
	}
	return c, false
}

const idLength = 64

func isID(s string) bool { return len(s) == idLength && isHex(s) }

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdef") == "" }

// podUID is the uid of a pod in a part of a path, pod<uid> or …-pod<uid>.slice, maybe with more behind a
// colon, or libpod_pod_<id>. A uid is a UUID; that of a static pod is a hash of 32 digits.
func podUID(part string) string {
	part, _, _ = strings.Cut(part, ":")
	name, isSlice := strings.CutSuffix(part, ".slice")
	if _, id, ok := strings.Cut(name, "libpod_pod_"); ok && isID(id) {
		return id
	}
	at := 0
	if isSlice {
		at = strings.LastIndex(name, "-pod") + 1
	}
	uid, ok := strings.CutPrefix(name[at:], "pod")
	if isSlice {
		uid = strings.ReplaceAll(uid, "_", "-")
	}
	digits := strings.ReplaceAll(uid, "-", "")
	if !ok || len(digits) != 32 || !isHex(digits) {
		return ""
	}
	return uid
}

// unescapeUnit takes the escapes out of a part of a unit's name (systemd-escape(1)): \x2d is a byte, - a slash,
// which no name of a machine has.
func unescapeUnit(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if rest := name[i:]; len(rest) >= 4 && rest[0] == '\\' && rest[1] == 'x' {
			if n, err := strconv.ParseUint(rest[2:4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// unitSuffixes are those of units that have a cgroup (systemd.unit(5)).
var unitSuffixes = []string{".service", ".scope", ".slice", ".socket", ".mount", ".swap"}

// Units lists the systemd units in the path of a cgroup, the outermost first, slices too.
func Units(path string) (units []string) {
	for part := range strings.SplitSeq(path, "/") {
		// systemd puts _ before a name that could be one of the kernel's files (cg_escape).
		part = strings.TrimPrefix(part, "_")
		at := strings.LastIndexByte(part, '.')
		if at > 0 && slices.Contains(unitSuffixes, part[at:]) && !strings.Contains(part, ":") {
			units = append(units, part)
		}
	}
	return units
}

// containersOf takes the containers from the hierarchy whose path has the most of them: a container's
// runtime may use some hierarchies only.
func containersOf(groups []procfs.Group) (found []Container) {
	for _, g := range groups {
		if c := Containers(g.Path); len(c) >= len(found) { // version 2 comes last
			found = c
		}
	}
	return found
}

// unitsOf takes the units from systemd's own hierarchy, or that of version 2.
func unitsOf(groups []procfs.Group) (units []string) {
	for _, g := range groups {
		if g.Controllers != "" && g.Controllers != "name=systemd" {
			continue
		}
		if u := Units(g.Path); len(u) > 0 {
			units = u
		}
	}
	return units
}
