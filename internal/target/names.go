package target

import (
	"cmp"
	"encoding/json"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// maxState is the number of bytes read of a file that describes containers.
const maxState = 4 << 20

// names finds the names of containers, and keeps them.
type names struct {
	root  fs.FS
	known map[string]Container // by id
	used  map[string]bool      // since forget
}

func newNames(root fs.FS) names { return names{root, map[string]Container{}, map[string]bool{}} }

// fill adds to a process's containers what files about them have. The process may be the container's
// first.
func (n *names) fill(p *Process) {
	n.use(p)
	for i := range p.Containers {
		c := &p.Containers[i]
		if c.ID == "" {
			continue
		}
		known, ok := n.known[c.ID]
		if !ok {
			known = *c
			n.docker(&known)
			n.oci(&known)
			n.storage(&known)
		}
		first := len(p.NSPIDs) > 1 && p.NSPIDs[len(p.NSPIDs)-1] == 1 && i == len(p.Containers)-1
		if known.Hostname == "" && first {
			known.Hostname = hostname(n.root, p.PID)
		}
		n.known[c.ID] = known
		*c = known
	}
}

// use notes that a process's containers have not ended.
func (n *names) use(p *Process) {
	for i := range p.Containers {
		n.used[p.Containers[i].ID] = true
	}
}

// forget drops the containers of which no process was met since the last call.
func (n *names) forget() {
	for id := range n.known {
		if !n.used[id] {
			delete(n.known, id)
		}
	}
	clear(n.used)
}

// kubernetes takes a pod from labels or annotations.
func (c *Container) kubernetes(labels map[string]string, prefix, podPrefix string) {
	c.Name = cmp.Or(labels[prefix+"name"], c.Name)
	c.Pod = cmp.Or(labels[podPrefix+"name"], c.Pod)
	c.Namespace = cmp.Or(labels[podPrefix+"namespace"], c.Namespace)
	c.PodUID = cmp.Or(c.PodUID, labels[podPrefix+"uid"])
}

// The labels of kubelet and the annotations of cri-o (pkg/annotations), and those of containerd
// (internal/cri/annotations).
const (
	labelContainer, labelPod = "io.kubernetes.container.", "io.kubernetes.pod."
	criContainer, criPod     = "io.kubernetes.cri.container-", "io.kubernetes.cri.sandbox-"
)

func (n *names) docker(c *Container) {
	var state struct {
		Name   string
		Config struct {
			Hostname string
			Labels   map[string]string
		}
	}
	if !n.read("var/lib/docker/containers/"+c.ID+"/config.v2.json", &state) {
		return
	}
	c.Runtime, c.Name, c.Hostname = "docker", strings.TrimPrefix(state.Name, "/"), state.Config.Hostname
	c.kubernetes(state.Config.Labels, labelContainer, labelPod)
}

// oci reads the configuration that a runtime of the Open Container Initiative runs a container by.
func (n *names) oci(c *Container) {
	for _, place := range []struct{ runtime, pattern string }{
		{"containerd", "run/containerd/io.containerd.runtime.v2.task/*/" + c.ID + "/config.json"},
		{"containerd", "run/k3s/containerd/io.containerd.runtime.v2.task/*/" + c.ID + "/config.json"},
		{"", "var/lib/containers/storage/overlay-containers/" + c.ID + "/userdata/config.json"},
		{"", "run/containers/storage/overlay-containers/" + c.ID + "/userdata/config.json"},
	} {
		var state struct {
			Hostname    string
			Annotations map[string]string
		}
		files, _ := fs.Glob(n.root, place.pattern) // a bad pattern is the only error
		if len(files) == 0 || !n.read(files[0], &state) {
			continue
		}
		c.Runtime = cmp.Or(c.Runtime, place.runtime)
		c.Hostname = cmp.Or(c.Hostname, state.Hostname)
		c.kubernetes(state.Annotations, labelContainer, labelPod)
		c.kubernetes(state.Annotations, criContainer, criPod)
		c.Name = cmp.Or(c.Name, state.Annotations["nerdctl/name"])
		return
	}
}

// storage finds the name that podman keeps.
func (n *names) storage(c *Container) {
	for _, file := range []string{"containers.json", "volatile-containers.json"} {
		var all []struct {
			ID    string
			Names []string
		}
		if c.Name == "" && n.read("var/lib/containers/storage/overlay-containers/"+file, &all) {
			for _, other := range all {
				if other.ID == c.ID && len(other.Names) > 0 {
					c.Name = other.Names[0]
				}
			}
		}
	}
}

// read reads a file in JSON.
func (n *names) read(name string, into any) bool {
	f, err := n.root.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	return json.NewDecoder(io.LimitReader(f, maxState)).Decode(into) == nil
}

// hostname is that in the environment of a container's first process.
func hostname(root fs.FS, pid int) string {
	f, err := root.Open("proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, maxState))
	for variable := range strings.SplitSeq(string(text), "\x00") {
		if name, ok := strings.CutPrefix(variable, "HOSTNAME="); ok && isHostname(name) {
			return name
		}
	}
	return ""
}

// isHostname keeps what is printed free of what a process may write into its environment.
func isHostname(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, hostnameBytes) == "" // 64: __NEW_UTS_LEN
}

const hostnameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
