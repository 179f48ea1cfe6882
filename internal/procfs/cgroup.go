package procfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cgroups lists the directories of the cgroups that a process ("self", or its PID) is in and that
// can have files of a controller: its own group first, then those above it. Where both versions are
// mounted there are those of both. Directories are relative to root, normally os.DirFS("/"). Groups
// outside what is mounted are left out.
func Cgroups(root fs.FS, process, controller string) []string {
	dirs, _ := cgroups(root, process, controller)
	return dirs
}

// cgroups is Cgroups. hidden is the process's group in the hierarchy that has the controller, if it is
// outside what is mounted; "" also for a hierarchy's root, which limits nothing.
func cgroups(root fs.FS, process, controller string) (dirs []string, hidden string) {
	text, err := fs.ReadFile(root, "proc/"+process+"/cgroup")
	if err != nil {
		return nil, ""
	}
	mounts, inVersion1 := CgroupMounts(root), false
	for _, g := range ParseGroups(string(text)) {
		version1 := slices.Contains(strings.Split(g.Controllers, ","), controller)
		if g.Controllers != "" && !version1 {
			continue
		}
		inVersion1 = inVersion1 || version1
		mount, inside, ok := findMount(mounts, g)
		if !ok && g.Path != "/" && version1 == inVersion1 { // version 2 comes last
			hidden = g.Path
		}
		for ; ok; inside = path.Dir(inside) {
			dirs = append(dirs, path.Join(mount, inside))
			if inside == "/" {
				break
			}
		}
	}
	return dirs, hidden
}

// Group is the cgroup of a process in one hierarchy.
type Group struct {
	Controllers string // of version 1: "cpu,cpuacct", or "name=systemd" where there is none; "" = version 2
	// From the root of the reader's cgroup namespace. It begins with /.. where it is outside
	// (cgroup_namespaces(7)).
	Path string
}

// ParseGroups parses the text of /proc/PID/cgroup, as cgroups(7) describes it. Version 2 comes last.
func ParseGroups(text string) (groups []Group) {
	for line := range strings.Lines(text) { // NUMBER:CONTROLLER,…:/PATH; a name has no newline
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, group, ok := strings.Cut(rest, ":")
		if !ok || !strings.HasPrefix(group, "/") {
			continue
		}
		if controllers == "" { // a dead group of a zombie (proc_cgroup_show in kernel/cgroup/cgroup.c)
			group = strings.TrimSuffix(group, " (deleted)")
		}
		groups = append(groups, Group{controllers, group})
	}
	return groups
}

// CgroupMount is a place where a hierarchy of cgroups, or a part of it, is mounted.
type CgroupMount struct {
	Dir     string   // from the root of the file system, without the first slash
	Root    string   // the path of the group that Dir shows, as in Group
	options []string // of version 1: they have the controllers and the name; nil = version 2
}

// CgroupMounts lists where cgroups are mounted for this process; none where /proc can't be read.
func CgroupMounts(root fs.FS) (mounts []CgroupMount) {
	text, _ := fs.ReadFile(root, "proc/self/mountinfo")
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) < 3 { // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT …; TYPE SOURCE OPTIONS
			continue
		}
		m := CgroupMount{Dir: strings.TrimPrefix(path.Clean(mountEscapes.Replace(fields[4])), "/"),
			Root: mountEscapes.Replace(fields[3])}
		switch kind[0] {
		case "cgroup":
			m.options = strings.Split(kind[2], ",")
		case "cgroup2":
		default:
			continue
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// mountEscapes are those of mangle_path in fs/seq_file.c.
var mountEscapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// Has reports whether g is in the hierarchy that is mounted.
func (m *CgroupMount) Has(g Group) bool {
	if g.Controllers == "" {
		return m.options == nil
	}
	return slices.ContainsFunc(strings.Split(g.Controllers, ","), func(controller string) bool {
		return slices.Contains(m.options, controller)
	})
}

// Inside is the path of a group of this hierarchy below Dir; false = outside.
func (m *CgroupMount) Inside(group string) (string, bool) {
	inside, found := strings.CutPrefix(group, strings.TrimSuffix(m.Root, "/"))
	if !found || inside != "" && inside[0] != '/' || inside == "/.." || strings.HasPrefix(inside, "/../") {
		return "", false
	}
	return path.Clean("/" + inside), true
}

// findMount finds where a group's hierarchy is mounted, and its path below that.
func findMount(mounts []CgroupMount, g Group) (dir, inside string, ok bool) {
	for _, m := range mounts {
		if inside, ok := m.Inside(g.Path); ok && m.Has(g) {
			return m.Dir, inside, true
		}
	}
	return "", "", false
}

// Quota is the CPU time that the processes of one cgroup may use together, and how often that was
// used up.
type Quota struct {
	Group         string // its directory, from the root of the file system
	Limit, Period time.Duration
	Periods       uint64 // in which some process of it ran
	Throttled     uint64 // of these, those in which Limit was used up
	// How long its threads were kept off a CPU, in sum over all CPUs. The kernel adds a time when it
	// is over (kernel/sched/fair.c, unthrottle_cfs_rq).
	Time time.Duration
}

// CPUs is how many CPUs the cgroup may use all the time.
func (q *Quota) CPUs() float64 { return float64(q.Limit) / float64(q.Period) }

// ReadQuotas reads the quotas that hold for a process, of its own cgroup and of those above it. It
// returns an error where /proc, the process's cgroup or a quota's counters can't be read. No quota is no
// error.
func ReadQuotas(root fs.FS, process string) (quotas []Quota, err error) {
	if _, err := fs.Stat(root, "proc/"+process+"/cgroup"); err != nil {
		return nil, err
	}
	dirs, hidden := cgroups(root, process, "cpu")
	if hidden != "" {
		return nil, fmt.Errorf("the cgroup %s is not mounted here", hidden)
	}
	for _, dir := range dirs {
		limit, period, ok := quotaOf(root, dir)
		if !ok {
			continue
		}
		stat, err := fs.ReadFile(root, path.Join(dir, "cpu.stat"))
		if err != nil {
			return nil, err
		}
		q, err := parseCPUStat(string(stat))
		if err != nil {
			return nil, fmt.Errorf("read %s/cpu.stat: %w", dir, err)
		}
		q.Group, q.Limit, q.Period = "/"+dir, limit, period
		quotas = append(quotas, q)
	}
	return quotas, nil
}

// quotaOf is the limit that a cgroup sets; false = none.
func quotaOf(root fs.FS, dir string) (limit, period time.Duration, ok bool) {
	var words []string
	if text, err := fs.ReadFile(root, path.Join(dir, "cpu.max")); err == nil { // version 2: LIMIT PERIOD
		words = strings.Fields(string(text))
	} else { // version 1
		for _, name := range []string{"cpu.cfs_quota_us", "cpu.cfs_period_us"} {
			text, _ := fs.ReadFile(root, path.Join(dir, name)) // "" is no number
			words = append(words, strings.TrimSpace(string(text)))
		}
	}
	if len(words) != 2 {
		return 0, 0, false
	}
	quota, quotaErr := strconv.ParseInt(words[0], 10, 32) // "max" and -1 are no limits
	each, eachErr := strconv.ParseInt(words[1], 10, 32)
	if quotaErr != nil || eachErr != nil || quota <= 0 || each <= 0 {
		return 0, 0, false
	}
	return time.Duration(quota) * time.Microsecond, time.Duration(each) * time.Microsecond, true
}

// parseCPUStat parses the counters of a quota: throttled_time of version 1 is in ns, throttled_usec
// of version 2 in µs.
func parseCPUStat(text string) (q Quota, err error) {
	found := 0
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 2 {
			continue
		}
		n, err := strconv.ParseUint(words[1], 10, 62)
		if err != nil {
			return q, err
		}
		found++
		switch words[0] {
		case "nr_periods":
			q.Periods = n
		case "nr_throttled":
			q.Throttled = n
		case "throttled_time":
			q.Time = time.Duration(n)
		case "throttled_usec":
			q.Time = time.Duration(n) * time.Microsecond
		default:
			found--
		}
	}
	if found != 3 {
		return q, errors.New("not the counters of a quota")
	}
	return q, nil
}

// Freezer is where the kernel writes whether a cgroup is frozen.
type Freezer struct {
	root fs.FS
	file string
	want string
}

// FindFreezers finds the files that show whether the cgroups of a process are frozen, by themselves
// or by a group above them.
func FindFreezers(root fs.FS, process string) (freezers []Freezer) {
	for _, f := range []Freezer{
		{root, "freezer.state", "FROZEN"},   // version 1
		{root, "cgroup.events", "frozen 1"}, // version 2, since Linux 5.2
	} {
		for _, dir := range Cgroups(root, process, "freezer") {
			name := path.Join(dir, f.file)
			if _, err := fs.Stat(root, name); err == nil {
				f.file = name
				freezers = append(freezers, f)
				break // the others are above it: its own state includes theirs
			}
		}
	}
	return freezers
}

// Frozen reports whether all processes of the cgroup are frozen now.
func (f *Freezer) Frozen() bool {
	text, err := fs.ReadFile(f.root, f.file)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(line) == f.want {
			return true
		}
	}
	return false
}

// CPUSet returns the CPUs that the cpuset of a process allows, in the kernel's list format; "" where
// there is no cpuset.
func CPUSet(root fs.FS, process string) string {
	for _, dir := range Cgroups(root, process, "cpuset") {
		for _, name := range []string{"cpuset.effective_cpus", "cpuset.cpus.effective"} { // versions 1 and 2
			if text, err := fs.ReadFile(root, path.Join(dir, name)); err == nil {
				return strings.TrimSpace(string(text))
			}
		}
	}
	return ""
}
