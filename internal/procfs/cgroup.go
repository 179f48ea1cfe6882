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
	groups, err := fs.ReadFile(root, "proc/"+process+"/cgroup")
	if err != nil {
		return nil, ""
	}
	mounts, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return nil, ""
	}
	inVersion1 := false
	for line := range strings.Lines(string(groups)) { // NUMBER:CONTROLLER,…:/PATH; version 2 has no controllers
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, ok := strings.Cut(rest, ":")
		version1 := slices.Contains(strings.Split(controllers, ","), controller)
		if !ok || controllers != "" && !version1 {
			continue
		}
		wanted := ""
		if version1 {
			wanted, inVersion1 = controller, true
		}
		mount, inside, ok := cgroupMount(string(mounts), wanted, path.Clean("/"+group))
		if !ok && group != "/" && version1 == inVersion1 { // version 2 comes last
			hidden = group
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

// cgroupMount finds, in the text of a mountinfo, where the hierarchy of a controller is mounted, or
// with "" that of version 2, and a group's path below that.
func cgroupMount(mounts, controller, group string) (dir, inside string, ok bool) {
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) < 3 { // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT …; TYPE SOURCE OPTIONS
			continue
		}
		switch {
		case controller == "" && kind[0] != "cgroup2",
			controller != "" && (kind[0] != "cgroup" || !slices.Contains(strings.Split(kind[2], ","), controller)):
			continue
		}
		inside, found := strings.CutPrefix(group, strings.TrimSuffix(fields[3], "/"))
		if found && (inside == "" || inside[0] == '/') {
			return strings.TrimPrefix(path.Clean(fields[4]), "/"), path.Clean("/" + inside), true
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
