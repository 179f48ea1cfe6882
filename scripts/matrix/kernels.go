package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pinwatch/pinwatch/scripts/matrix/plan"
)

// kernel is one row of the matrix: a Debian kernel for cloud guests, which has BTF, BPF and the
// tracepoints built in and needs no module to boot from an initramfs. Exact versions rotate out of
// the archive, so packages are chosen by pattern.
type kernel struct {
	name    string // the row's name, also its folder in the cache
	suite   string // Debian suite
	pattern string // regular expression for the package's name; the newest match is taken
	arch    string // GOARCH, also Debian's name of the architecture
	extra   bool   // only with -all
	preempt string // its mode of preemption, at the end of its name; "" = as shipped
	image   string // a file of this machine, as of a release candidate; "" = Debian's package
}

// endTests run on the oldest and the newest kernel only, so that the matrix takes minutes: the
// kernels between have what one of those has.
const endTests = `TestTimeNamespace TestForeignSignalsCoalesce TestLeaderLeavesLate TestForkIsAnotherProcess
	TestSignalMasks TestThreadsStripped TestRoomIsUsedAgain TestCPUsWithoutARing TestLightMeasuresWithoutSystemCalls
	TestAsleepOnRunQueue TestStacksAreTheKernels TestNoHookFaults TestUnreadableMask TestTasksThatEndEarly
	TestSkippedRunsVoidWhatTheyTouch TestFullTableIsAccountedFor TestFullTableGetsNoInsert
	TestLifecycleSurvivesASignalFlood TestLossesAreCounted TestProgramsThatAreSkipped TestFloodIsAccountedFor
	TestDiagnose TestLight TestKilled TestUntrackedAreCountedOnce TestCPUGoesAndComes`

// preemptTests are the tests that run in rows with another mode of preemption: of what the kernel
// skips where a thread was preempted, and of what a thread can be preempted in.
const preemptTests = "TestEveryThreadIsAccounted TestStacksAreTheKernels TestNoHookFaults TestAllKindsArrive"

var kernels = []kernel{
	{"5.10", "bullseye-security", `^linux-image-5\.10\..*-cloud-amd64$`, "amd64", false, "", ""},
	{"6.1", "bookworm-security", `^linux-image-6\.1\..*-cloud-amd64-unsigned$`, "amd64", false, "", ""},
	{"6.12", "bookworm-security", `^linux-image-6\.12\..*-cloud-amd64-unsigned$`, "amd64", false, "", ""},
	{"6.12-full", "bookworm-security", `^linux-image-6\.12\..*-cloud-amd64-unsigned$`, "amd64", false, "full", ""},
	{"6.16", "trixie-backports", `^linux-image-6\.16\..*-cloud-amd64$`, "amd64", true, "", ""},
	{"6.18", "trixie-backports", `^linux-image-6\.18\..*-cloud-amd64$`, "amd64", true, "", ""},
	{"7.0", "trixie-backports", `^linux-binary-7\.0\..*-cloud-amd64$`, "amd64", true, "", ""},
	{"7.x", "trixie-backports", `^linux-binary-7\..*-cloud-amd64$`, "amd64", false, "", ""},
	{"7.x-full", "trixie-backports", `^linux-binary-7\..*-cloud-amd64$`, "amd64", false, "full", ""},
	{"arm64-6.1", "bookworm-security", `^linux-image-6\.1\..*-cloud-arm64-unsigned$`, "arm64", false, "", ""},
	{"arm64-6.12", "bookworm-security", `^linux-image-6\.12\..*-cloud-arm64-unsigned$`, "arm64", false, "", ""},
}

// selectKernels returns the rows of an architecture whose name matches filter; an empty filter
// takes all, extras only when asked for. A filter that is the path of a file is a kernel's image.
func selectKernels(arch, filter string, all bool) ([]kernel, error) {
	if strings.Contains(filter, "/") {
		if err := isKernel(filter, arch); err != nil {
			return nil, fmt.Errorf("kernel %s: %w", filter, err)
		}
		return []kernel{{name: filepath.Base(filter), arch: arch, extra: true, image: filter}}, nil
	}
	re, err := regexp.Compile(filter)
	if err != nil {
		return nil, fmt.Errorf("kernel filter: %w", err)
	}
	var picked []kernel
	for _, k := range kernels {
		if k.arch == arch && re.MatchString(k.name) && (all || filter != "" || !k.extra) {
			picked = append(picked, k)
		}
	}
	if len(picked) == 0 {
		return nil, fmt.Errorf("kernel filter %q matches none of the matrix's %s kernels", filter, arch)
	}
	return picked, nil
}

// isKernel is an error for a file that the emulator could not boot. A kernel of x86 has "HdrS" in its
// setup header (Documentation/arch/x86/boot.rst), one of arm64 "ARM\x64" (arch/arm64/booting.rst).
func isKernel(file, arch string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	magic := map[string]struct {
		at   int64
		word string
	}{"amd64": {0x202, "HdrS"}, "arm64": {56, "ARM\x64"}}[arch]
	word := make([]byte, len(magic.word))
	if _, err := f.ReadAt(word, magic.at); err != nil || string(word) != magic.word {
		return fmt.Errorf("it is no bootable image of an %s kernel: want arch/*/boot/bzImage or Image", arch)
	}
	return nil
}

// isIntermediate reports whether the matrix has both older and newer kernels of k's architecture.
func (k kernel) isIntermediate() bool {
	var shipped []string
	for _, other := range kernels {
		if other.arch == k.arch && other.preempt == "" {
			shipped = append(shipped, other.name)
		}
	}
	return k.image == "" && k.preempt == "" && k.name != shipped[0] && k.name != shipped[len(shipped)-1]
}

// byLength returns the indexes of kernels, those whose guests take the longest first, so that no
// long one is left for the end.
func byLength(kernels []kernel) []int {
	length := func(i int) int {
		switch {
		case kernels[i].preempt != "":
			return 1
		case kernels[i].isIntermediate():
			return 2
		}
		return 3
	}
	order := make([]int, len(kernels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return length(b) - length(a) })
	return order
}

// anyOf is a regular expression of whole names that match one of the expressions.
func anyOf(expressions string) string {
	return "^(" + strings.Join(strings.Fields(expressions), "|") + ")$"
}

// commandLine is the guest's: what the user wants, and what the row adds.
func (k kernel) commandLine(o options) string {
	line := o.cmdline
	if k.preempt != "" {
		line += " preempt=" + k.preempt
	}
	switch {
	case o.tests != "":
	case k.preempt != "":
		line += " " + plan.OnlyTests + "=" + anyOf(preemptTests)
	case k.isIntermediate():
		line += " " + plan.SkipTests + "=" + anyOf(endTests)
	}
	return line
}

// fetch returns the path of the kernel's image in the cache, downloading it when it is not there or
// when refresh is set.
func (k kernel) fetch(refresh bool) (string, error) {
	if k.image != "" {
		return k.image, nil
	}
	dir := filepath.Join(kernelDir, strings.TrimSuffix(k.name, "-"+k.preempt))
	image := filepath.Join(dir, "vmlinuz")
	if _, err := os.Stat(image); err == nil && !refresh {
		return image, nil
	}
	out, err := exec.Command("scripts/matrix/get-kernel", k.suite, k.arch, k.pattern, dir).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("fetch kernel %s: %w: %s", k.name, err, strings.TrimSpace(string(out)))
	}
	return image, nil
}
