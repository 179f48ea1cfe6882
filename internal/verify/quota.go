package verify

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pinwatch/pinwatch/internal/procfs"
	"github.com/pinwatch/pinwatch/internal/workload/client"
)

// QuotaRelease is the release that the specification names.
const QuotaRelease = "1.16.15"

// quota starts workloads in a cgroup that may use one CPU: one built by this release, and one by Go
// 1.16.
func quota(r *run) error {
	if err := quotaNow(r); err != nil {
		return err
	}
	program, err := r.lab.Release(r, QuotaRelease)
	if err != nil {
		return unableError("Go " + QuotaRelease + " is not available: " + err.Error())
	}
	return r.underQuota(program)
}

// quotaNow is quota for this release alone.
func quotaNow(r *run) error {
	if runtime.NumCPU() < 2 {
		return unableError("this machine has one CPU: a quota of one CPU has no effect")
	}
	return r.underQuota(r.lab.Program)
}

func (r *run) underQuota(program []string) error {
	r.Source = "the workload's GOMAXPROCS, and whether it keeps the quota's file open"
	g, err := newCgroup()
	if err != nil {
		return unableError("no cgroup with a CPU quota can be made here: " + err.Error())
	}
	defer func() {
		if err := g.remove(); err != nil {
			r.Notes = append(r.Notes, "the experiment's cgroup could not be removed: "+err.Error())
		}
	}()
	var p *client.Process
	if err := g.start(func(attr *syscall.SysProcAttr) error {
		p, err = r.launch(program, nil, attr, "idle")
		return err
	}); err != nil {
		return err
	}
	reads := readsQuota(p.PID)
	a, err := p.Stop()
	if err != nil {
		return err
	}
	r.add("started", 1)
	if reads || a.GoMaxProcs < runtime.NumCPU() {
		r.add("followed", 1)
	}
	return nil
}

// quotaFiles are the files that hold a cgroup's quota: cgroup v2, v1.
var quotaFiles = []string{"cpu.max", "cpu.cfs_quota_us"}

// readsQuota is true when a process has its cgroup's quota open, as a runtime does that follows it.
// GOMAXPROCS is no sign on two CPUs: no release goes below two for a quota.
func readsQuota(pid int) bool {
	files, _ := procfs.Process(pid).Files() // none: the process has ended
	for _, file := range files {
		if slices.Contains(quotaFiles, filepath.Base(file)) {
			return true
		}
	}
	return false
}

// cgroup is a cgroup with a quota of one CPU.
type cgroup struct {
	dir string
	v2  *os.File // the open directory; nil = v1
}

func newCgroup() (*cgroup, error) {
	const root = "/sys/fs/cgroup"
	if control, err := os.ReadFile(root + "/cgroup.subtree_control"); err == nil {
		if !strings.Contains(" "+strings.TrimSpace(string(control))+" ", " cpu ") {
			return nil, errors.New("the cpu controller is not on in " + root)
		}
		g := &cgroup{}
		return g, g.make(root, "cpu.max", "100000 100000")
	}
	for _, mount := range []string{"cpu", "cpu,cpuacct"} {
		g := &cgroup{}
		if err := g.make(filepath.Join(root, mount), "cpu.cfs_quota_us", "100000"); !errors.Is(err, os.ErrNotExist) {
			return g, err
		}
	}
	return nil, errors.New("no cpu controller is mounted below " + root)
}

func (g *cgroup) make(parent, file, quota string) (err error) {
	if g.dir, err = os.MkdirTemp(parent, "pinwatch-verify-*"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.dir, file), []byte(quota), 0); err != nil {
		return errors.Join(err, os.Remove(g.dir))
	}
	if file == "cpu.max" {
		g.v2, err = os.Open(g.dir)
	}
	return err
}

// start calls start so that the process it starts is in the cgroup.
func (g *cgroup) start(start func(*syscall.SysProcAttr) error) error {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if g.v2 != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(g.v2.Fd())
		return start(attr)
	}
	return onMortalThread(func() error {
		tid := strconv.Itoa(syscall.Gettid())
		if err := os.WriteFile(filepath.Join(g.dir, "tasks"), []byte(tid), 0); err != nil {
			return err
		}
		return start(attr)
	})
}

// remove removes the cgroup. The thread that started a process in it may take a moment to end.
func (g *cgroup) remove() error {
	if g.v2 != nil {
		g.v2.Close()
	}
	var err error
	for range 100 {
		if err = os.Remove(g.dir); err == nil {
			return nil
		}
		time.Sleep(lastSwitch / 10)
	}
	return err
}
