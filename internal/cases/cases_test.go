package cases

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
)

var (
	all  = flag.Bool("all", false, "run all cases, not only the short ones")
	show = flag.Bool("show", false, "log the account and pinwatch's text of each case, not only of those that fail")
)

// atOnce is how many cases run at a time: each sleeps for most of its time.
const atOnce = "4"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil { // a flag of go test replaces it
		panic(err)
	}
	os.Exit(testenv.Main(m))
}

// TestCases runs the short cases, or by make cases all.
func TestCases(t *testing.T) {
	testenv.Require(t, testenv.BPF, testenv.GoCommand)
	pinwatch := filepath.Join(t.TempDir(), "pinwatch")
	build := exec.Command("go", "build", "-pgo=off", "-o", pinwatch, "../../cmd/pinwatch")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build pinwatch: %v\n%s", err, out)
	}
	anywhere := readAnywhere(t)
	for _, e := range readAll(t) {
		if !*all && !e.Short {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			testenv.Require(t, needsOf(e)...)
			check(t, e.Expect, e.dir, pinwatch, anywhere)
		})
	}
}

type namedCase struct {
	*Expect
	dir, name string
}

// readAll reads the files EXPECT and EXPECT-VARIANT of every case.
func readAll(t *testing.T) (list []namedCase) {
	t.Helper()
	files, err := filepath.Glob("*/EXPECT*")
	if err != nil || files == nil {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range files {
		e, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		dir, file := filepath.Split(name)
		dir = filepath.Clean(dir)
		list = append(list, namedCase{e, dir, dir + strings.TrimPrefix(file, "EXPECT")})
	}
	return list
}

// readAnywhere reads the sentences that every report may have.
func readAnywhere(t *testing.T) (list []*regexp.Regexp) {
	t.Helper()
	b, err := os.ReadFile("ANYWHERE")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, regexp.MustCompile(line))
		}
	}
	return list
}

// needsOf is what a case needs of the machine.
func needsOf(e namedCase) (needs []*testenv.Need) {
	named := map[string]*testenv.Need{"cgo": testenv.CCompiler, "namespaces": testenv.Namespaces,
		"quota": testenv.CPUQuota}
	for _, name := range e.Needs {
		needs = append(needs, named[name])
	}
	if e.Throttle {
		needs = append(needs, testenv.CPUQuota)
	}
	return needs
}
