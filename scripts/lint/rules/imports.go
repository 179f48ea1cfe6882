package rules

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

const module = "github.com/pinwatch/pinwatch/"

//go:embed imports.txt
var importsText string

// row holds the allowed imports of a package of the table, or of one that the table does not name.
type row struct {
	product []string // packages of this module, for files that are no tests
	tests   []string // further ones for tests; a test may always import its own package
	never   []string // packages of others that files that are no tests must not import
}

// table is the import table by package, without the module's path.
type table map[string]row

// parseTable reads imports.txt, whose head describes the format.
func parseTable(text string) (table, error) {
	t := table{}
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		head, imports, ok := strings.Cut(line, ":")
		words := strings.Fields(head)
		if !ok || len(words) == 0 || len(words) > 2 {
			return nil, fmt.Errorf("imports.txt:%d: want \"PACKAGE [tests|never]: IMPORT...\"", n+1)
		}
		r := t[words[0]]
		list := &r.product
		if len(words) == 2 {
			switch words[1] {
			case "tests":
				list = &r.tests
			case "never":
				list = &r.never
			default:
				return nil, fmt.Errorf("imports.txt:%d: %q is neither tests nor never", n+1, words[1])
			}
		}
		if *list != nil {
			return nil, fmt.Errorf("imports.txt:%d: a second line of %s", n+1, head)
		}
		*list = append([]string{}, strings.Fields(imports)...)
		t[words[0]] = r
	}
	return t, nil
}

// goPackage holds the fields of go list -json that the check reads.
type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// problems lists the imports that the table does not allow, and the rows of packages that do not
// exist.
func (t table) problems(packages []goPackage) (problems []string) {
	stale := maps.Clone(t)
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module)
		r := t[name]
		delete(stale, name)
		tests := append(append([]string{name}, r.product...), r.tests...)
		for _, i := range p.Imports {
			if ours, is := strings.CutPrefix(i, module); is && !matches(r.product, ours) {
				problems = append(problems, fmt.Sprintf("%s must not import %s", name, ours))
			} else if !is && matches(treePatterns(r.never), i) {
				problems = append(problems, fmt.Sprintf("%s must never import %s", name, i))
			}
		}
		for _, i := range append(p.TestImports, p.XTestImports...) {
			if ours, is := strings.CutPrefix(i, module); is && !matches(tests, ours) {
				problems = append(problems, fmt.Sprintf("tests of %s must not import %s", name, ours))
			}
		}
	}
	for name := range stale {
		problems = append(problems, fmt.Sprintf("imports.txt has a line for %s, which is no package", name))
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// treePatterns returns a pattern for each package, which it and all packages below it match.
func treePatterns(packages []string) []string {
	var all []string
	for _, p := range packages {
		all = append(all, p+"/...")
	}
	return all
}

// matches is true when one of the patterns is pkg, "*", or PARENT/... with pkg being PARENT or
// below it.
func matches(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		parent, tree := strings.CutSuffix(p, "/...")
		return p == "*" || p == pkg || tree && (pkg == parent || strings.HasPrefix(pkg, parent+"/"))
	})
}

// CheckImports compares the imports of the whole module with the table.
func CheckImports() error {
	t, err := parseTable(importsText)
	if err != nil {
		return err
	}
	const fields = "-json=ImportPath,Imports,TestImports,XTestImports"
	out, err := exec.Command("go", "list", "-pgo=off", fields, "./...").Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	var packages []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read go list: %w", err)
		}
		packages = append(packages, p)
	}
	if problems := t.problems(packages); len(problems) > 0 {
		return fmt.Errorf("not as scripts/lint/rules/imports.txt has it:\n  %s", strings.Join(problems, "\n  "))
	}
	return nil
}
