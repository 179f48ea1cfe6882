package vet

import (
	"go/ast"
	"go/constant"
	"go/types"
	"strings"
)

// The functions listed here change state of a kernel thread, not of its process: namespaces(7),
// credentials(7), sched(7), prctl(2), signal(7). setuid(2) and related functions of the packages
// syscall and unix are not listed: since Go 1.16 they change every thread
// (syscall.AllThreadsSyscall). umask and chdir are not listed: threads share them with their
// fs_struct.

// setters change the state of the calling thread with any arguments: the parts that they change, 0
// if their flags name them.
var setters = map[string]kindSet{
	"golang.org/x/sys/unix.Setns":                    0,
	"golang.org/x/sys/unix.Unshare":                  0,
	"golang.org/x/sys/unix.Setfsuid":                 1 << fileIDs,
	"golang.org/x/sys/unix.Setfsgid":                 1 << fileIDs,
	"golang.org/x/sys/unix.SetfsuidRetUid":           1 << fileIDs,
	"golang.org/x/sys/unix.SetfsgidRetGid":           1 << fileIDs,
	"golang.org/x/sys/unix.PthreadSigmask":           1 << signalMask,
	"golang.org/x/sys/unix.SetMemPolicy":             1 << memoryPolicy,
	"golang.org/x/sys/unix.SetMemPolicyDynamic":      1 << memoryPolicy,
	"golang.org/x/sys/unix.KeyctlJoinSessionKeyring": 1 << keyring,
	"syscall.Unshare":                                0,
	"syscall.Setfsuid":                               1 << fileIDs,
	"syscall.Setfsgid":                               1 << fileIDs,

	"github.com/vishvananda/netns.Set":                        1 << netNamespace,
	"github.com/vishvananda/netns.Setns":                      0,
	"github.com/vishvananda/netns.New":                        1 << netNamespace,
	"github.com/vishvananda/netns.NewNamed":                   1 << netNamespace,
	"github.com/containernetworking/plugins/pkg/ns.NetNS.Set": 1 << netNamespace,

	// Windows: COM's apartments, impersonation, compartments. OpenGL: the current context; GLFW's own
	// rule for its main thread.
	"golang.org/x/sys/windows.CoInitializeEx":                    1 << apartment,
	"golang.org/x/sys/windows.SetThreadToken":                    1 << impersonation,
	"github.com/go-ole/go-ole.CoInitialize":                      1 << apartment,
	"github.com/go-ole/go-ole.CoInitializeEx":                    1 << apartment,
	"github.com/Microsoft/hcsshim.SetCurrentThreadCompartmentId": 1 << compartment,
}

// byFlags are the setters whose argument of this index names the namespaces.
var byFlags = map[string]int{
	"unix.Setns": 1, "netns.Setns": 1, "unix.Unshare": 0, "syscall.Unshare": 0, "SYS_SETNS": 2, "SYS_UNSHARE": 1,
}

// makers give the thread something new. They never put anything back.
var makers = map[string]bool{
	"unix.Unshare": true, "syscall.Unshare": true, "SYS_UNSHARE": true, "netns.New": true, "netns.NewNamed": true,
	"PR_SET_NO_NEW_PRIVS": true, "PR_SET_SECCOMP": true, "PR_CAPBSET_DROP": true,
}

// namespaceSetters are the setters on which the meaning of a socket, a file name or a child process
// depends.
var namespaceSetters = map[string]bool{
	"unix.Setns": true, "unix.Unshare": true, "syscall.Unshare": true,
	"netns.Set": true, "netns.Setns": true, "netns.New": true, "netns.NewNamed": true, "NetNS.Set": true,
	"SYS_SETNS": true, "SYS_UNSHARE": true,
}

// selfSetters change the thread whose id is their argument. 0 and unix.Gettid() are the calling
// thread.
var selfSetters = map[string]struct {
	thread  int // the argument's index
	changes kindSet
}{
	"golang.org/x/sys/unix.SchedSetaffinity":        {0, 1 << affinity},
	"golang.org/x/sys/unix.SchedSetaffinityDynamic": {0, 1 << affinity},
	"golang.org/x/sys/unix.SchedSetAttr":            {0, 1 << policy},
	"golang.org/x/sys/unix.Setpriority":             {1, 1 << niceness},
	"syscall.Setpriority":                           {1, 1 << niceness},
}

// systemCalls are the system calls that change only the calling thread when made by syscall.Syscall
// and related functions.
var systemCalls = map[string]kindSet{
	"SYS_SETNS": 0, "SYS_UNSHARE": 0, "SYS_CAPSET": 1 << capabilities, "SYS_SET_MEMPOLICY": 1 << memoryPolicy,
	"SYS_SETUID": 1 << userIDs, "SYS_SETGID": 1 << userIDs, "SYS_SETREUID": 1 << userIDs, "SYS_SETREGID": 1 << userIDs,
	"SYS_SETRESUID": 1 << userIDs, "SYS_SETRESGID": 1 << userIDs,
	"SYS_SETGROUPS": 1 << userIDs, "SYS_SETFSUID": 1 << fileIDs, "SYS_SETFSGID": 1 << fileIDs,
}

// selfSystemCalls are those that change the thread whose id is their first argument.
var selfSystemCalls = map[string]kindSet{
	"SYS_SCHED_SETAFFINITY": 1 << affinity, "SYS_SCHED_SETSCHEDULER": 1 << policy, "SYS_SCHED_SETPARAM": 1 << policy,
	"SYS_SCHED_SETATTR": 1 << policy,
}

// threadOptions are the options of prctl(2) that change the calling thread. A name and KEEPCAPS
// change nothing for other goroutines. PR_SET_PDEATHSIG is not among them: the kernel keeps it per
// thread, but the process gets the signal for any of its threads (kernel/exit.c:
// forget_original_parent).
var threadOptions = map[string]kindSet{
	"PR_SET_NAME": 0, "PR_SET_KEEPCAPS": 0, "PR_SET_SECUREBITS": 1 << restrictions,
	"PR_CAPBSET_DROP": 1 << capabilities, "PR_CAP_AMBIENT": 1 << capabilities,
	"PR_SET_NO_NEW_PRIVS": 1 << restrictions, "PR_SET_SECCOMP": 1 << restrictions,
	"PR_SET_TIMERSLACK": 1 << timerSlack, "PR_SCHED_CORE": 1 << coreCookie,
}

// change is a change of the calling thread's state.
type change struct {
	what  string  // the setter's name
	kinds kindSet // what it changes, as far as another goroutine would notice
	makes bool
}

// setter returns the change that a call makes to the calling thread. what is "" if it makes none.
func (c *checker) setter(call *ast.CallExpr) change {
	what, changed := c.setterName(call)
	if i, ok := byFlags[what]; ok && i < len(call.Args) {
		changed = c.flagKinds(call.Args[i])
	}
	return change{what, changed, makers[what]}
}

// setterName returns the name of the called function if it sets state of the calling thread, else "".
func (c *checker) setterName(call *ast.CallExpr) (string, kindSet) {
	f := callee(c.pass.TypesInfo, call)
	if f == nil || f.Pkg() == nil || f.Pkg() == c.pass.Pkg {
		return "", 0
	}
	full := path(f) + "." + method(f)
	short := f.Pkg().Name() + "." + f.Name()
	if t := receiverName(f); t != nil {
		short = t.Name() + "." + f.Name()
	}
	if changed, ok := setters[full]; ok {
		return short, changed
	}
	if !isLinux(f.Pkg()) {
		return "", 0
	}
	if self, ok := selfSetters[full]; ok && self.thread < len(call.Args) && c.isSelf(call.Args[self.thread]) {
		if strings.HasSuffix(full, ".Setpriority") && !c.isConst(call.Args[0], 0) { // PRIO_PROCESS
			return "", 0
		}
		return short, self.changes
	}
	if path(f) != "syscall" && path(f) != "golang.org/x/sys/unix" || len(call.Args) < 2 {
		return "", 0
	}
	switch name := f.Name(); {
	case name == "Prctl", name == "PrctlRetInt":
		return c.option(call.Args[0])
	case name == "Capset":
		return short, 1 << capabilities
	case strings.HasPrefix(name, "Syscall"), strings.HasPrefix(name, "RawSyscall"):
		number := c.constName(call.Args[0])
		if changed, ok := systemCalls[number]; ok {
			return number, changed
		}
		switch {
		case number == "SYS_PRCTL":
			return c.option(call.Args[1])
		case number == "SYS_SETPRIORITY" && len(call.Args) > 2 && c.isConst(call.Args[1], 0) && c.isSelf(call.Args[2]):
			return number, 1 << niceness // of PRIO_PROCESS
		case c.isSelf(call.Args[1]):
			if changed, ok := selfSystemCalls[number]; ok {
				return number, changed
			}
		}
	}
	return "", 0
}

// isLinux reports whether pkg is the package syscall or unix of Linux. On other systems the same
// names change the process.
func isLinux(pkg *types.Package) bool { return pkg.Scope().Lookup("Gettid") != nil }

// option returns the name of a prctl option that changes the calling thread, else "".
func (c *checker) option(e ast.Expr) (string, kindSet) {
	name := c.constName(e)
	if changed, ok := threadOptions[name]; ok {
		return name, changed
	}
	return "", 0
}

// constName returns the name of the constant in an expression, which may convert its type. It
// returns "" for other expressions.
func (c *checker) constName(e ast.Expr) string {
	e = ast.Unparen(e)
	if call, ok := e.(*ast.CallExpr); ok && len(call.Args) == 1 && c.pass.TypesInfo.Types[call.Fun].IsType() {
		return c.constName(call.Args[0])
	}
	if k, ok := c.object(e).(*types.Const); ok {
		return k.Name()
	}
	return ""
}

// isSelf reports whether an expression is the id of the calling thread: 0 or Gettid().
func (c *checker) isSelf(e ast.Expr) bool {
	if c.isConst(e, 0) {
		return true
	}
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return false
	}
	if len(call.Args) == 1 && c.pass.TypesInfo.Types[call.Fun].IsType() {
		return c.isSelf(call.Args[0])
	}
	f := callee(c.pass.TypesInfo, call)
	return f != nil && f.Name() == "Gettid"
}

func (c *checker) isConst(e ast.Expr, want int64) bool {
	v := c.pass.TypesInfo.Types[e].Value
	if v == nil {
		return false
	}
	got, exact := constant.Int64Val(constant.ToInt(v))
	return exact && got == want
}

// dependsOnNamespace reports whether a call depends on the namespaces of the calling thread.
func (c *checker) dependsOnNamespace(call *ast.CallExpr) bool {
	f := callee(c.pass.TypesInfo, call)
	if f == nil {
		return false
	}
	switch path(f) {
	case "net":
		return strings.HasPrefix(f.Name(), "Dial") || strings.HasPrefix(f.Name(), "Listen") ||
			strings.HasPrefix(f.Name(), "Interface")
	case "os/exec":
		return f.Name() != "LookPath" && receiverName(f) != nil
	case "golang.org/x/sys/unix", "syscall":
		return f.Name() == "Socket" || f.Name() == "Mount" || f.Name() == "Gettid"
	case "github.com/vishvananda/netns":
		return f.Name() == "Get"
	case "github.com/vishvananda/netlink":
		return receiverName(f) == nil && f.Exported()
	}
	return false
}
