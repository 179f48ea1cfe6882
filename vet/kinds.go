package vet

import (
	"go/ast"
	"go/constant"
	"go/types"
	"strings"
)

// kind is a part of the state of a thread that is changed, and put back, apart from the others.
type kind int

const (
	netNamespace kind = iota
	mountNamespace
	otherNamespace // UTS, IPC, PID, user, cgroup or time
	someNamespace  // one that the source does not name
	directories    // working directory, root and umask, no longer the process's
	descriptors    // the table of file descriptors, no longer the process's
	affinity
	niceness
	policy // for scheduling
	coreCookie
	fileIDs // user and group id for access to files
	userIDs
	capabilities
	restrictions // no_new_privs, seccomp, securebits: for good
	keyring
	signalMask
	memoryPolicy
	timerSlack
	apartment // of COM
	impersonation
	compartment
	kinds // how many there are
)

var kindNames = [kinds]string{
	"network namespace", "mount namespace", "namespaces", "namespace", "working directory and umask",
	"table of file descriptors", "affinity", "niceness", "scheduling policy", "core scheduling cookie",
	"user id for files", "user ids", "capabilities", "privileges", "session keyring", "signal mask",
	"memory policy", "timer slack", "COM apartment", "impersonation", "network compartment",
}

// kindSet is a bit set of kinds.
type kindSet uint32

const (
	allKinds   kindSet = 1<<kinds - 1
	namespaces kindSet = 1<<netNamespace | 1<<mountNamespace | 1<<otherNamespace | 1<<someNamespace
)

// String names the kinds.
func (s kindSet) String() string {
	var names []string
	for k, name := range kindNames {
		if s.has(kind(k)) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " and ")
}

func (s kindSet) has(k kind) bool { return s&(1<<k) != 0 }

// matches reports whether state of one set can be that of the other.
func (s kindSet) matches(t kindSet) bool {
	if s.has(someNamespace) && t&namespaces != 0 || t.has(someNamespace) && s&namespaces != 0 {
		return true
	}
	return s&t != 0
}

// The flags of clone(2) that unshare(2) and setns(2) take.
var cloneFlags = map[int64]kindSet{
	0x40000000: 1 << netNamespace,
	0x00020000: 1 << mountNamespace,
	0x04000000: 1 << otherNamespace, // UTS
	0x08000000: 1 << otherNamespace, // IPC
	0x20000000: 1 << otherNamespace, // PID
	0x10000000: 1 << otherNamespace, // user
	0x02000000: 1 << otherNamespace, // cgroup
	0x00000080: 1 << otherNamespace, // time
	0x00000200: 1 << directories,    // CLONE_FS
	0x00000400: 1 << descriptors,    // CLONE_FILES
}

// flagKinds returns the kinds that flags of clone(2) name.
func (c *checker) flagKinds(flags ast.Expr) kindSet {
	var set kindSet
	if v := c.pass.TypesInfo.Types[flags].Value; v != nil {
		bits, _ := constant.Int64Val(constant.ToInt(v))
		for flag, k := range cloneFlags {
			if bits&flag != 0 {
				set |= k
			}
		}
	}
	if set == 0 { // not a constant, or 0: whatever the file descriptor is
		set = 1 << someNamespace
	}
	return set
}

// restorers put back what they name and change nothing. Exec ends all threads.
var restorers = map[string]kindSet{
	"syscall.Exec":                            allKinds,
	"golang.org/x/sys/unix.Exec":              allKinds,
	"golang.org/x/sys/windows.CoUninitialize": 1 << apartment,
	"golang.org/x/sys/windows.RevertToSelf":   1 << impersonation,
	"github.com/go-ole/go-ole.CoUninitialize": 1 << apartment,
}

// restoreWords are parts of the names of functions that may put back state of the thread.
var restoreWords = []string{"restore", "revert", "reset", "undo", "leave", "unset", "teardown", "cleanup", "popns"}

// putsBack returns what a call may put back that is not the call of a setter: with a function whose
// name tells that it restores something, or with one that another function has returned.
func (c *checker) putsBack(call *ast.CallExpr, u *unit) kindSet {
	f := callee(c.pass.TypesInfo, call)
	if set := c.synchronizes(call); set != 0 {
		return set
	}
	if f == nil {
		if c.pass.TypesInfo.Types[call.Fun].IsType() || c.pass.TypesInfo.Types[call.Fun].IsBuiltin() {
			return 0
		}
		v, ok := c.object(call.Fun).(*types.Var)
		if ok && (c.isParameter(v, u) || v.IsField() || isCancel(v.Type())) && !restoresByName(v.Name()) {
			return 0
		}
		return allKinds
	}
	if set, ok := restorers[path(f)+"."+method(f)]; ok {
		return set
	}
	if f.Pkg() == c.pass.Pkg { // the package that declares the setter, through an interface
		if set := setters[path(f)+"."+method(f)]; set != 0 {
			return set
		}
	}
	if restoresByName(f.Name()) {
		return allKinds
	}
	return 0
}

// synchronizes returns the kinds that a call gives to all threads. SECCOMP_FILTER_FLAG_TSYNC does so
// with no_new_privs (kernel/seccomp.c: seccomp_sync_threads).
func (c *checker) synchronizes(call *ast.CallExpr) (set kindSet) {
	for _, arg := range call.Args {
		ast.Inspect(arg, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok && c.constName(e) == "SECCOMP_FILTER_FLAG_TSYNC" {
				set = 1 << restrictions
			}
			return true
		})
	}
	return set
}

func isCancel(t types.Type) bool { return strings.HasPrefix(t.String(), "context.Cancel") }

func restoresByName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range restoreWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
