package target

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/procfs"
)

// Chooser applies a Choice to the processes that run, and to those that start. It is for one goroutine at a
// time.
type Chooser struct {
	root       fs.FS
	choice     Choice
	cgroups    []*cgroup
	containers []wanted
	units      []unit
	names      names
	self       int                   // pinwatch; 0 = not in the PID namespace that /proc shows
	ancestors  map[int]time.Duration // of pinwatch, and itself: when each started
	seen       map[int]Process       // that Scan or Matches has returned
}

// NewChooser finds the cgroups, containers and units that are meant. It returns a *ChoiceError where there is
// none, and where it would be pinwatch itself. root is normally os.DirFS("/").
func NewChooser(root fs.FS, choice Choice) (*Chooser, error) {
	c := &Chooser{root: root, choice: choice, names: newNames(root),
		ancestors: map[int]time.Duration{}, seen: map[int]Process{}}
	if self, err := fs.ReadLink(root, "proc/self"); err == nil {
		c.self, _ = strconv.Atoi(self) // 0 where this process is not in that namespace
	}
	c.findAncestors()
	if slices.Contains(choice.PIDs, c.self) {
		return nil, &ChoiceError{"p", strconv.Itoa(c.self), "that is pinwatch itself, which can't observe itself"}
	}
	var running []Process
	if len(choice.Cgroups)+len(choice.Containers)+len(choice.Units) > 0 {
		running = c.all()
	}
	for _, text := range choice.Cgroups {
		g, err := findCgroup(root, text, running)
		if err != nil {
			return nil, err
		}
		c.cgroups = append(c.cgroups, g)
	}
	for _, text := range choice.Containers {
		w, err := findContainer(text, running)
		if err != nil {
			return nil, err
		}
		c.containers = append(c.containers, w)
	}
	for _, text := range choice.Units {
		u, err := findUnit(root, text, running)
		if err != nil {
			return nil, err
		}
		c.units = append(c.units, u)
	}
	return c, nil
}

// findAncestors finds the processes that wait for pinwatch, such as a shell and sudo. What pinwatch prints makes
// them run: to choose them by anything but their PID would make pinwatch observe its own effect.
func (c *Chooser) findAncestors() {
	for pid := c.self; pid > 0; {
		stat, err := readStat(c.root, pid, pid)
		if _, known := c.ancestors[pid]; err != nil || known {
			return
		}
		c.ancestors[pid] = stat.Start
		pid = stat.Parent
	}
}

// all describes all processes, with the names of their containers.
func (c *Chooser) all() (processes []Process) {
	for _, pid := range c.pids() {
		if p, err := Describe(c.root, pid); err == nil {
			c.names.fill(&p)
			processes = append(processes, p)
		}
	}
	return processes
}

// pids lists the processes of the PID namespace that /proc shows.
func (c *Chooser) pids() (pids []int) {
	entries, _ := fs.ReadDir(c.root, "proc") // none where /proc is not mounted
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// Watches reports whether processes that start later may be chosen.
func (c *Chooser) Watches() bool { return c.choice.Watches() }

// Scan finds the processes that are meant among all that run, and returns those that neither it nor Matches has
// returned before. Called now and then, it finds those that were moved into a cgroup without an exec.
func (c *Chooser) Scan() ([]Process, error) {
	pids := c.choice.PIDs
	if c.Watches() {
		if pids = c.pids(); len(pids) == 0 {
			return nil, errors.New("list processes: /proc shows none")
		}
	}
	var found []Process
	seen := map[int]Process{}
	for _, pid := range pids {
		if p, ok := c.seen[pid]; ok {
			if stat, err := readStat(c.root, pid, pid); err == nil && stat.Start == p.Start {
				seen[pid] = p
				c.names.use(&p)
				continue
			}
		}
		if p, ok := c.judge(pid); ok {
			seen[pid] = p
			found = append(found, p)
		}
	}
	c.seen = seen
	c.names.forget()
	return found, nil
}

// Matches judges a process that has just executed a program. Such a process is returned again at each exec.
func (c *Chooser) Matches(pid int) (Process, bool) {
	p, ok := c.judge(pid)
	if ok {
		c.seen[pid] = p
	}
	return p, ok
}

// Alive reports whether a process that Matches has refused can still be read.
func (c *Chooser) Alive(pid int) bool {
	_, _, err := living(c.root, pid)
	return err == nil
}

// MatchesEnded judges a process that ended before it was read, by its program's name, of which it may have
// only the first 15 bytes. It may be one that is meant where known is false.
func (c *Chooser) MatchesEnded(name string) (meant, known bool) {
	named := func(re *regexp.Regexp) bool { return re.MatchString(name) }
	if c.choice.AllGo || slices.ContainsFunc(c.choice.Names, named) {
		return true, true
	}
	return false, len(c.cgroups)+len(c.containers)+len(c.units) == 0
}

// Describe describes a process that need not be meant, with the names of its containers.
func (c *Chooser) Describe(pid int) (Process, error) {
	p, err := Describe(c.root, pid)
	if err == nil {
		c.names.fill(&p)
	}
	return p, err
}

// judge reads of a process only what decides, and the rest once it is chosen.
func (c *Chooser) judge(pid int) (p Process, ok bool) {
	dir, stat, err := living(c.root, pid)
	if err != nil {
		return p, false
	}
	if !slices.Contains(c.choice.PIDs, pid) {
		start, isAncestor := c.ancestors[pid]
		if isAncestor && stat.Start == start || !c.means(pid, dir, &stat) {
			return p, false
		}
	}
	if p, err = describe(c.root, pid, dir, &stat); err != nil {
		return p, false
	}
	c.names.fill(&p)
	return p, true
}

// means reports whether a process is meant by something else than its PID.
func (c *Chooser) means(pid int, dir string, stat *procfs.Stat) bool {
	if c.choice.AllGo {
		return true
	}
	if len(c.choice.Names) > 0 {
		exe, _ := executable(c.root, dir)
		name := baseName(exe)
		if slices.ContainsFunc(c.choice.Names, func(re *regexp.Regexp) bool {
			return name != "" && re.MatchString(name) || re.MatchString(stat.Name)
		}) {
			return true
		}
	}
	return c.meansPlace(pid, dir, stat)
}

// meansPlace compares the cgroups of a process, and what they show.
func (c *Chooser) meansPlace(pid int, dir string, stat *procfs.Stat) bool {
	if len(c.cgroups)+len(c.containers)+len(c.units) == 0 {
		return false
	}
	groups := readGroups(c.root, dir)
	if slices.ContainsFunc(c.cgroups, func(g *cgroup) bool { return g.has(groups) }) {
		return true
	}
	if len(c.units) > 0 {
		for _, name := range unitsOf(groups) {
			if slices.ContainsFunc(c.units, func(u unit) bool { return u.is(name) }) {
				return true
			}
		}
	}
	if len(c.containers) == 0 || len(containersOf(groups)) == 0 {
		return false
	}
	p, err := describe(c.root, pid, dir, stat)
	if err != nil {
		return false
	}
	c.names.fill(&p)
	return isWanted(p.Containers, c.containers)
}

// Gone reports cgroups that were removed, each once. Processes of a new group of the same path are chosen
// again.
func (c *Chooser) Gone() error {
	var gone []error
	for _, g := range c.cgroups {
		was := g.gone
		if g.gone = g.removed(c.root); g.gone && !was {
			gone = append(gone, fmt.Errorf("the cgroup %s was removed; the other processes are observed further", g.text))
		}
	}
	return errors.Join(gone...)
}

// Waits describes, for people, what is waited for while no process is meant; "" = nothing can come.
func (c *Chooser) Waits() string {
	switch {
	case !c.Watches():
		return ""
	case c.choice.AllGo:
		return "no Go program runs now: waiting for one"
	}
	return "no such Go program runs now: waiting for one " + c.Meant()
}

// Meant describes, for people, which Go programs are meant besides PIDs; "" = none, or all.
func (c *Chooser) Meant() string {
	if c.choice.AllGo {
		return ""
	}
	var parts []string
	add := func(what string, values ...string) {
		for _, v := range values {
			parts = append(parts, what+v)
		}
	}
	for _, re := range c.choice.Names {
		add("whose name matches ", re.String())
	}
	add("in the cgroup ", c.choice.Cgroups...)
	add("in the container ", c.choice.Containers...)
	add("of the unit ", c.choice.Units...)
	return strings.Join(parts, ", or ")
}
