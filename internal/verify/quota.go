package verify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pinwatch/pinwatch/internal/workload/client"
	"github.com/pinwatch/pinwatch/internal/workload/trial"
)

// QuotaRelease is the release that the specification names.
const QuotaRelease = "1.16.15"

// quotaCPUs is the quota of the cgroup. No release goes below two CPUs for a quota.
const quotaCPUs = 3

// notForContainers is the default of a program whose go.mod names a Go before 1.25
// (internal/godebugs).
const notForContainers = "containermaxprocs=0"

// quota starts workloads in a cgroup with a quota: one built by this release, and one by Go 1.16.
func quota(r *run) error {
	if err := r.underQuota(r.lab.Program, "", quotaCPUs, ""); err != nil {
		return err
	}
	program, err := r.lab.Release(r, QuotaRelease)
	if err != nil {
		return unableError("Go " + QuotaRelease + " is not available: " + err.Error())
	}
	return r.underQuota(program, "", quotaCPUs, "")
}

// quotaNow is quota for this release alone, also with a GOMAXPROCS of the environment, with the
// setting of an older go.mod, and with a quota of one CPU.
func quotaNow(r *run) error {
	return errors.Join(
		r.underQuota(r.lab.Program, "", quotaCPUs, ""),
		r.underQuota(r.lab.Program, "set_", quotaCPUs, fmt.Sprint("GOMAXPROCS=", pretendedCPUs)),
		r.underQuota(r.lab.Program, "old_", quotaCPUs, "GODEBUG="+notForContainers),
		r.underQuota(r.lab.Program, "one_", 1, ""),
	)
}

// underQuota counts a program that takes as many CPUs as its quota allows. The machine may have fewer
// than that, so the program is told that there are more. It must not count them again later (Go
// 1.25, GODEBUG updatemaxprocs).
func (r *run) underQuota(program []string, kind string, cpus int, env string) error {
	r.Source = "the workload's GOMAXPROCS"
	g, err := newCgroup(cpus)
	if err != nil {
		return unableError("no cgroup with a CPU quota can be made here: " + err.Error())
	}
	defer func() {
		if err := g.remove(); err != nil {
			r.Notes = append(r.Notes, "the experiment's cgroup could not be removed: "+err.Error())
		}
	}()
	o := client.Options{Program: program, Begun: pretendCPUs}
	debug := r.lab.variable("GODEBUG") + ",updatemaxprocs=0"
	switch name, value, _ := strings.Cut(env, "="); name {
	case "GODEBUG":
		debug += "," + value
	case "GOMAXPROCS":
		o.Env = append(o.Env, env)
	}
	o.Env = append(o.Env, "GODEBUG="+strings.TrimPrefix(debug, ","))
	var p *client.Process
	if err := g.start(func(attr *syscall.SysProcAttr) error {
		attr.Ptrace = true
		o.Attr = attr
		p, err = r.launch(o, "counts", "-n", "1", "-settle", "0")
		return err
	}); err != nil {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EIO) {
			return unableError("the number of CPUs cannot be pretended here: " + err.Error())
		}
		return err
	}
	var a trial.Counts
	if err := r.account(p, &a); err != nil {
		p.Kill()
		return err
	}
	if err := p.End(); err != nil {
		return err
	}
	r.add(kind+"started", 1)
	if a.GoMaxProcs == cpus {
		r.add(kind+"followed", 1)
	}
	r.Notes = append(r.Notes, fmt.Sprintf("%s: GOMAXPROCS %d of %d pretended CPUs, under a quota of %d%s",
		a.GoVersion, a.GoMaxProcs, pretendedCPUs, cpus, strings.TrimSuffix(" with "+env, " with ")))
	return nil
}

// cgroup is a cgroup with a quota.
type cgroup struct {
	dir string
	v2  *os.File // the open directory; nil = v1
}

func newCgroup(cpus int) (*cgroup, error) {
	const root = "/sys/fs/cgroup"
	if control, err := os.ReadFile(root + "/cgroup.subtree_control"); err == nil {
		if !strings.Contains(" "+strings.TrimSpace(string(control))+" ", " cpu ") {
			return nil, errors.New("the cpu controller is not on in " + root)
		}
		g := &cgroup{}
		return g, g.make(root, "cpu.max", fmt.Sprint(cpus*100000, " 100000"))
	}
	for _, mount := range []string{"cpu", "cpu,cpuacct"} {
		g := &cgroup{}
		if err := g.make(filepath.Join(root, mount), "cpu.cfs_quota_us",
			fmt.Sprint(cpus*100000)); !errors.Is(err, os.ErrNotExist) {
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
		return onMortalThread(func() error { return start(attr) }) // ptrace: a program is traced by one thread
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
