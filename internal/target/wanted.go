package target

import (
	"slices"
	"strconv"
	"strings"
)

// wanted is a container that a person means.
type wanted struct {
	text string
	is   func(c *Container) bool
}

// ways are the ways to mean a container, the most exact first. one: the way means a single container, or those of
// one pod.
var ways = []struct {
	one   bool
	means func(c *Container, text string) bool
}{
	{true, func(c *Container, text string) bool { return c.ID == text }},
	{true, func(c *Container, text string) bool { return c.Name == text }},
	{true, func(c *Container, text string) bool { return c.Pod != "" && c.Pod+"/"+c.Name == text }},
	{false, func(c *Container, text string) bool { return c.PodUID == text || c.Pod == text }},
	{false, func(c *Container, text string) bool { return c.Pod != "" && c.Namespace+"/"+c.Pod == text }},
	{true, func(c *Container, text string) bool { return c.Hostname == text }},
	{true, func(c *Container, text string) bool { return len(text) >= leastPrefix && strings.HasPrefix(c.ID, text) }},
	{true, func(c *Container, text string) bool {
		return len(text) >= leastPrefix && strings.HasPrefix(c.PodUID, text)
	}},
}

// leastPrefix is the length from which the beginning of an id means a container.
const leastPrefix = 4

// findContainer finds which of the containers that run a person means. A name also means a container of that
// name to come, since a new one has another id.
func findContainer(text string, processes []Process) (wanted, error) {
	running := distinct(processes)
	if text == "" {
		return wanted{}, &ChoiceError{"container", text, "want the name or the id of a container"}
	}
	for _, way := range ways {
		var found []Container
		for _, c := range running {
			if way.means(&c, text) {
				found = append(found, c)
			}
		}
		if len(found) == 0 {
			continue
		}
		if way.one && len(found) > 1 && !onePod(found) {
			return wanted{}, &ChoiceError{"container", text, "more than one container: " + list(found) +
				"; give more of its id or its name"}
		}
		is := func(c *Container) bool { return way.means(c, text) }
		switch c := found[0]; {
		case strings.HasPrefix(c.ID, text):
			is = func(other *Container) bool { return other.ID == c.ID }
		case strings.HasPrefix(c.PodUID, text):
			is = func(other *Container) bool { return other.PodUID == c.PodUID }
		}
		return wanted{text, is}, nil
	}
	if group := groupNamed(text, processes); group != "" {
		return wanted{}, &ChoiceError{"container", text, "no running container has that name or id, by the paths of " +
			"cgroups; a cgroup has that name: --cgroup " + group}
	}
	if len(running) == 0 {
		return wanted{}, &ChoiceError{"container", text, "no process here is in a container, by the paths of its cgroups"}
	}
	return wanted{}, &ChoiceError{"container", text, "no running container has that name or id, by the paths " +
		"of cgroups; there are " + list(running)}
}

// onePod reports whether containers are those of one pod.
func onePod(containers []Container) bool {
	first := containers[0].PodUID
	return first != "" && !slices.ContainsFunc(containers, func(c Container) bool { return c.PodUID != first })
}

// groupNamed finds a cgroup that processes are in, by its last part or what systemd makes of it. Runtimes that take
// any word for an id, such as runc, crun and ctr, name a container's cgroup so.
func groupNamed(name string, processes []Process) (found string) {
	for _, p := range processes {
		for _, g := range p.groups { // version 2 comes last
			for end, part := 0, ""; end < len(g.Path); {
				part, _, _ = strings.Cut(g.Path[end+1:], "/")
				end += 1 + len(part)
				scope, ok := strings.CutSuffix(part, "-"+name+".scope")
				if part == name || ok && scope != "" {
					found = g.Path[:end]
				}
			}
		}
	}
	return found
}

// list names containers by what tells them apart.
func list(containers []Container) string {
	var texts []string
	for _, c := range containers {
		text := c.String()
		if short := c.ID[:min(shortID, len(c.ID))]; !strings.Contains(text, short) {
			text += " (" + short + ")"
		}
		texts = append(texts, text)
	}
	return some(texts)
}

// some lists the first names of many, each once.
func some(names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	const most = 12
	if n := len(names) - most; n > 0 {
		return strings.Join(names[:most], ", ") + ", and " + strconv.Itoa(n) + " more"
	}
	return strings.Join(names, ", ")
}

// isWanted reports whether one of the containers is.
func isWanted(containers []Container, all []wanted) bool {
	return slices.ContainsFunc(all, func(w wanted) bool {
		return slices.ContainsFunc(containers, func(c Container) bool { return w.is(&c) })
	})
}

// distinct lists the containers of processes, each once, with all that is known in the end.
func distinct(processes []Process) (containers []Container) {
	at := map[string]int{}
	for _, p := range processes {
		for _, c := range p.Containers {
			if i, ok := at[c.key()]; ok {
				containers[i] = c
				continue
			}
			at[c.key()] = len(containers)
			containers = append(containers, c)
		}
	}
	return containers
}
