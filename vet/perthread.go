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

// setters change the state of the calling thread with any arguments.
var setters = map[string]bool{
	"golang.org/x/sys/unix.Setns":                    true,
	"golang.org/x/sys/unix.Unshare":                  true,
	"golang.org/x/sys/unix.Setfsuid":                 true,
	"golang.org/x/sys/unix.Setfsgid":                 true,
	"golang.org/x/sys/unix.SetfsuidRetUid":           true,
	"golang.org/x/sys/unix.SetfsgidRetGid":           true,
	"golang.org/x/sys/unix.PthreadSigmask":           true,
	"golang.org/x/sys/unix.SetMemPolicy":             true,
	"golang.org/x/sys/unix.SetMemPolicyDynamic":      true,
	"golang.org/x/sys/unix.KeyctlJoinSessionKeyring": true,
	"syscall.Unshare":                                true,
	"syscall.Setfsuid":                               true,
	"syscall.Setfsgid":                               true,

	"github.com/vishvananda/netns.Set":                        true,
	"github.com/vishvananda/netns.Setns":                      true,
	"github.com/vishvananda/netns.New":                        true,
	"github.com/vishvananda/netns.NewNamed":                   true,
	"github.com/containernetworking/plugins/pkg/ns.NetNS.Set": true,

	// Windows: COM's apartments, impersonation, compartments. OpenGL: the current context; GLFW's own
	// rule for its main thread.
	"golang.org/x/sys/windows.CoInitializeEx":                    true,
	"golang.org/x/sys/windows.SetThreadToken":                    true,
	"github.com/go-ole/go-ole.CoInitialize":                      true,
	"github.com/go-ole/go-ole.CoInitializeEx":                    true,
	"github.com/Microsoft/hcsshim.SetCurrentThreadCompartmentId": true,
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
var selfSetters = map[string]int{ // the argument's index
	"golang.org/x/sys/unix.SchedSetaffinity":        0,
	"golang.org/x/sys/unix.SchedSetaffinityDynamic": 0,
	"golang.org/x/sys/unix.SchedSetAttr":            0,
	"golang.org/x/sys/unix.Setpriority":             1,
	"syscall.Setpriority":                           1,
}

// systemCalls are the system calls that change only the calling thread when made by syscall.Syscall
// and related functions.
var systemCalls = map[string]bool{
	"SYS_SETNS": true, "SYS_UNSHARE": true, "SYS_CAPSET": true, "SYS_SET_MEMPOLICY": true,
	"SYS_SETUID": true, "SYS_SETGID": true, "SYS_SETREUID": true, "SYS_SETREGID": true,
	"SYS_SETRESUID": true, "SYS_SETRESGID": true,
	"SYS_SETGROUPS": true, "SYS_SETFSUID": true, "SYS_SETFSGID": true,
}

// threadOptions are the options of prctl(2) that change the calling thread. PR_SET_PDEATHSIG is not
// among them: the kernel keeps it per thread, but the process gets the signal for any of its
// threads (kernel/exit.c: forget_original_parent).
var threadOptions = map[string]bool{
	"PR_SET_NAME": true, "PR_SET_KEEPCAPS": true, "PR_SET_SECUREBITS": true,
	"PR_CAPBSET_DROP": true, "PR_CAP_AMBIENT": true,
	"PR_SET_NO_NEW_PRIVS": true, "PR_SET_SECCOMP": true, "PR_SET_TIMERSLACK": true, "PR_SCHED_CORE": true,
}

// setter returns the name of the called function if it sets state of the calling thread, else "".
func (c *checker) setter(call *ast.CallExpr) string {
	f := callee(c.pass.TypesInfo, call)
	if f == nil || f.Pkg() == nil || f.Pkg() == c.pass.Pkg {
		return ""
	}
	full := path(f) + "." + method(f)
	short := f.Pkg().Name() + "." + f.Name()
	if t := receiverName(f); t != nil {
		short = t.Name() + "." + f.Name()
	}
	if setters[full] {
		return short
	}
	if !isLinux(f.Pkg()) {
		return ""
	}
	if i, ok := selfSetters[full]; ok && i < len(call.Args) && c.isSelf(call.Args[i]) {
		if strings.HasSuffix(full, ".Setpriority") && !c.isConst(call.Args[0], 0) { // PRIO_PROCESS
			return ""
		}
		return short
	}
	if path(f) != "syscall" && path(f) != "golang.org/x/sys/unix" || len(call.Args) < 2 {
		return ""
	}
	switch name := f.Name(); {
	case name == "Prctl", name == "PrctlRetInt":
		return c.option(call.Args[0])
	case name == "Capset":
		return short
	case strings.HasPrefix(name, "Syscall"), strings.HasPrefix(name, "RawSyscall"):
		number := c.constName(call.Args[0])
		switch {
		case systemCalls[number]:
			return number
		case number == "SYS_PRCTL":
			return c.option(call.Args[1])
		case number == "SYS_SCHED_SETAFFINITY" && c.isSelf(call.Args[1]):
			return number
		}
	}
	return ""
}

// isLinux reports whether pkg is the package syscall or unix of Linux. On other systems the same
// names change the process.
func isLinux(pkg *types.Package) bool { return pkg.Scope().Lookup("Gettid") != nil }

// option returns the name of a prctl option that changes the calling thread, else "".
func (c *checker) option(e ast.Expr) string {
	if name := c.constName(e); threadOptions[name] {
		return name
	}
	return ""
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
