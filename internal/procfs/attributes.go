package procfs

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Attribute is something that the kernel keeps for each thread and Go takes to be the process's.
type Attribute uint8

// The attributes, the most consequential first. They are equal in all threads unless a thread
// changed its own.
const (
	NetNS Attribute = iota
	MountNS
	UserNS
	PIDNSForChildren
	UTSNS
	IPCNS
	CgroupNS
	TimeNSForChildren
	Credentials // user and group ids, groups
	Capabilities
	NoNewPrivs
	Seccomp
	Root
	WorkingDir
	Umask
	CPUsAllowed
	Nice
	Policy
	AttributeCount
)

// attributeNames are the words of reports.
var attributeNames = [AttributeCount]string{
	NetNS: "network namespace", MountNS: "mount namespace", UserNS: "user namespace",
	PIDNSForChildren: "PID namespace of children", UTSNS: "UTS namespace", IPCNS: "IPC namespace",
	CgroupNS: "cgroup namespace", TimeNSForChildren: "time namespace of children",
	Credentials: "user and group ids", Capabilities: "capabilities", NoNewPrivs: "no_new_privs", Seccomp: "seccomp filter",
	Root: "root directory", WorkingDir: "working directory", Umask: "umask",
	CPUsAllowed: "CPU affinity", Nice: "nice", Policy: "scheduling policy",
}

func (a Attribute) String() string { return attributeNames[a] }

// attributeLinks are the links in a thread's directory that hold an attribute. To read them takes
// the permission to trace the thread (proc_pid_ns(5)).
var attributeLinks = map[Attribute]string{
	NetNS: "ns/net", MountNS: "ns/mnt", UserNS: "ns/user", PIDNSForChildren: "ns/pid_for_children", UTSNS: "ns/uts",
	IPCNS: "ns/ipc", CgroupNS: "ns/cgroup", TimeNSForChildren: "ns/time_for_children", Root: "root", WorkingDir: "cwd",
}

// Attributes are those of one thread at one moment, as text that is equal where they are; "" = not
// known.
type Attributes [AttributeCount]string

// ReadAttributes reads the attributes of a thread of a process. The error is fs.ErrPermission where
// some can't be read for want of CAP_SYS_PTRACE; the others are then known. Of a thread that has
// ended nothing is.
func ReadAttributes(pid int, tid int32) (a Attributes, err error) {
	dir := Thread(pid, tid)
	status, err := dir.read("status")
	if err != nil {
		return a, err
	}
	a.parseStatus(status)
	var refused error
	for attribute, name := range attributeLinks {
		link, err := os.Readlink(string(dir) + "/" + name)
		if errors.Is(err, fs.ErrPermission) {
			refused = err
		}
		a[attribute] = link // "" where this kernel has no such namespace
	}
	stat, err := dir.Stat() // last: a thread that lives now has lived all the time
	if err != nil || stat.State == 'Z' || stat.State == 'X' {
		return Attributes{}, errors.Join(os.ErrProcessDone, err)
	}
	a[Nice], a[Policy] = strconv.Itoa(stat.Nice), PolicyName(stat.Policy)
	return a, refused
}

// parseStatus takes the attributes that stand in the text of a status.
func (a *Attributes) parseStatus(text string) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.Join(strings.Fields(value), " ")
		switch key {
		case "Uid", "Gid", "Groups":
			a.add(Credentials, strings.ToLower(key)+" "+value)
		case "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
			a.add(Capabilities, key[3:]+" "+value)
		case "NoNewPrivs":
			a[NoNewPrivs] = value
		case "Seccomp", "Seccomp_filters":
			a.add(Seccomp, value)
		case "Umask":
			a[Umask] = value
		case "Cpus_allowed_list":
			a[CPUsAllowed] = value
		}
	}
}

func (a *Attributes) add(attribute Attribute, part string) {
	if a[attribute] != "" {
		a[attribute] += ", "
	}
	a[attribute] += part
}
