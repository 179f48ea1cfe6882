package target

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// unit is one or more of systemd's that a person means.
type unit struct{ pattern string }

// is compares the name of a unit.
func (u unit) is(name string) bool {
	if before, after, ok := strings.Cut(u.pattern, "@."); ok { // a template
		rest, found := strings.CutPrefix(name, before+"@")
		return found && strings.HasSuffix(rest, "."+after)
	}
	if u.isGlob() {
		ok, _ := path.Match(strings.ReplaceAll(u.pattern, `\`, `\\`), name) // findUnit has tried the pattern
		return ok
	}
	return name == u.pattern
}

func (u unit) isGlob() bool { return strings.ContainsAny(u.pattern, "*?[") }

// unitDirs have the files of units (systemd.unit(5)). Those of a user's home are not among them.
var unitDirs = []string{"etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd", "lib/systemd"}

// findUnit finds a unit that runs or, by its file, one that may be started.
func findUnit(root fs.FS, text string, running []Process) (unit, error) {
	u := unit{text}
	if !slices.Contains(unitSuffixes, path.Ext(text)) {
		u.pattern += ".service" // as systemctl(1)
	}
	if _, err := path.Match(strings.ReplaceAll(u.pattern, `\`, `\\`), ""); text == "" || err != nil {
		return u, &ChoiceError{"unit", text, "want the name of a systemd unit, such as nginx.service"}
	}
	var names []string
	for _, p := range running {
		names = append(names, p.units...)
	}
	if u.isGlob() || slices.ContainsFunc(names, u.is) {
		return u, nil
	}
	file := u.pattern
	if template, instance, ok := strings.Cut(file, "@"); ok {
		file = template + "@" + path.Ext(instance)
	}
	for _, dir := range unitDirs {
		for _, kind := range []string{"system", "user", "transient", "generator"} {
			if _, err := fs.Lstat(root, path.Join(dir, kind, file)); err == nil {
				return u, nil
			}
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, ".slice") })
	if len(names) == 0 {
		return u, &ChoiceError{"unit", text, "no process here is in a systemd unit, by the paths of its cgroups"}
	}
	near := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !strings.Contains(strings.ToLower(name), strings.ToLower(strings.TrimSuffix(text, ".service")))
	})
	if len(near) > 0 {
		names = near
	}
	return u, &ChoiceError{"unit", text, "no such unit runs here or has a file; there are " + some(names)}
}
