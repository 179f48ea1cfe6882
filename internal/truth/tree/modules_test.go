package tree

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/pinwatch/pinwatch/internal/testenv"
	"github.com/pinwatch/pinwatch/internal/testenv/witness"
)

// testedModules have at least 20 packages each.
var testedModules = []struct {
	name    string // at a version
	alone   bool   // it makes network namespaces, and leaves some: it gets namespaces of its own
	results bool   // its tests print random seeds and times of their own: only go's lines on packages are compared
}{
	{name: "golang.org/x/net@v0.62.0"},                                                   // without C
	{name: "github.com/opencontainers/runc@v1.5.3"},                                      // with C in five packages
	{name: "github.com/containernetworking/plugins@v1.10.0", alone: true, results: true}, // pins
}

// TestGoTest: go test ./... has the same exit code and the same output under pinwatch, and the counts
// of each of its processes are the witness's. Some tests of the modules fail on any machine, which
// go's output has in both runs.
func TestGoTest(t *testing.T) {
	if !*modules {
		testenv.NotJudged(t, "it takes minutes: go test ./internal/truth/tree -modules")
		return
	}
	pinwatch := build(t)
	for _, m := range testedModules {
		t.Run(m.name, func(t *testing.T) {
			dir := fetch(t, m.name)
			command := []string{"go", "test", "-vet=off", "-count=1", "-p=2", "./..."}
			if m.alone {
				testenv.Require(t, testenv.Namespaces)
				const script = `mount -t tmpfs none /run && exec "$@"` // where it keeps them
				command = append([]string{"unshare", "--mount", "--net", "sh", "-c", script, "sh"}, command...)
			}
			plain := exec.Command(command[0], command[1:]...)
			plain.Dir = dir
			var want bytes.Buffer
			plain.Stdout = &want
			_ = plain.Run() // its exit code is compared
			o := run(t, pinwatch, dir, command...)
			if got := plain.ProcessState.ExitCode(); got != o.exit {
				t.Errorf("exit code %d, without pinwatch %d", o.exit, got)
			}
			if got, want := masked(o.stdout, m.results), masked(want.Bytes(), m.results); got != want {
				t.Errorf("output:\n%s\nwithout pinwatch:\n%s", got, want)
			}
			t.Logf("%v, %d compared", o, o.compare(t, listed(t)))
			o.lossless(t)
		})
	}
}

// fetch is the directory of a module, whose tests' needs are fetched, too.
func fetch(t *testing.T, module string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = t.TempDir() // outside of this module
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("fetch %s: %v\n%s", module, err, text)
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m.Dir
}

var (
	// What differs between two runs: times, temporary files, addresses, ids.
	varying = regexp.MustCompile(`\(?\b[0-9.]+m?s\)?|go-(build|link-)[0-9]+|0x[0-9a-f]+|0[0-9]{5}\.o|build-id=\S+`)
	result  = regexp.MustCompile(`(?m)^(ok|FAIL|---|\?) .*$|^(ok|FAIL|\?)\t.*$`)
)

// masked is an output of go test without what differs between two runs. go prints the packages in
// the order of their names.
func masked(output []byte, results bool) string {
	text := string(output)
	if results {
		text = strings.Join(result.FindAllString(text, -1), "\n")
	}
	return varying.ReplaceAllString(text, "_")
}

// listed reports whether an image has a report of its own: a Go program, and no tool of the Go
// distribution, which the summary adds up.
func listed(t *testing.T) func(*witness.Process, witness.Image) bool {
	goroot, err := exec.Command("go", "env", "GOTOOLDIR").Output()
	if err != nil {
		t.Fatal(err)
	}
	tools := strings.TrimSpace(string(goroot)) + "/"
	known := map[string]bool{}
	return func(p *witness.Process, i witness.Image) bool {
		if p.Parent == int32(os.Getpid()) || strings.HasPrefix(i.Exe, tools) { // pinwatch itself, and tools
			return false
		}
		is, ok := known[i.Exe]
		if !ok {
			is = i.Program() == "go" || strings.HasSuffix(i.Exe, ".test") || isGo(i.Exe)
			known[i.Exe] = is
		}
		return is
	}
}

// isGo asks go what built a file, which may be gone.
func isGo(file string) bool {
	return file != "" && exec.Command("go", "version", "-m", file).Run() == nil
}
