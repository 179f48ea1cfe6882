package vet

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"regexp"
	"strings"
)

// reading is a call that reads the state which a thread has.
type reading struct {
	what   string
	kinds  kindSet
	thread bool         // of the calling thread; otherwise of the process's main thread
	into   types.Object // the variable or field that holds the result
}

// readers read state of the calling thread. Their result, or the argument of this index, holds it.
var readers = map[string]struct {
	reads kindSet
	into  int // -1: the result
}{
	"github.com/vishvananda/netns.Get":                           {1 << netNamespace, -1},
	"github.com/containernetworking/plugins/pkg/ns.GetCurrentNS": {1 << netNamespace, -1},
	"golang.org/x/sys/unix.SchedGetaffinity":                     {1 << affinity, 1},
	"golang.org/x/sys/unix.SchedGetAttr":                         {1 << policy, -1},
	"golang.org/x/sys/unix.Getpriority":                          {1 << niceness, -1},
	"golang.org/x/sys/unix.Capget":                               {1 << capabilities, 1},
	"golang.org/x/sys/unix.SetfsuidRetUid":                       {1 << fileIDs, -1},
	"golang.org/x/sys/unix.SetfsgidRetGid":                       {1 << fileIDs, -1},
	"golang.org/x/sys/unix.PthreadSigmask":                       {1 << signalMask, 2},
	"syscall.Getpriority":                                        {1 << niceness, -1},
}

// openers open the file that their first argument names.
var openers = map[string]bool{
	"os.Open": true, "os.OpenFile": true, "syscall.Open": true, "golang.org/x/sys/unix.Open": true,
	"github.com/vishvananda/netns.GetFromPath":            true,
	"github.com/containernetworking/plugins/pkg/ns.GetNS": true,
}

// ownNamespace matches the name of a file that stands for a namespace of this process.
var ownNamespace = regexp.MustCompile(`^/proc/(self|thread-self|%[dv]/task/%[dv]|self/task/%[dv])/ns/(\w+|%s)$`)

var namespaceFiles = map[string]kindSet{"net": 1 << netNamespace, "mnt": 1 << mountNamespace, "%s": 1 << someNamespace}

// readerOf describes a call that reads state. what is "" for others.
func (c *checker) readerOf(call *ast.CallExpr) (r reading, into int) {
	f := callee(c.pass.TypesInfo, call)
	if f == nil || f.Pkg() == nil {
		return r, 0
	}
	full := path(f) + "." + method(f)
	r.what = f.Pkg().Name() + "." + f.Name()
	if known, ok := readers[full]; ok {
		r.kinds, r.thread = known.reads, true
		return r, known.into
	}
	if !openers[full] || len(call.Args) == 0 {
		return reading{}, 0
	}
	m := ownNamespace.FindStringSubmatch(c.text(call.Args[0]))
	if m == nil {
		return reading{}, 0
	}
	r.thread = m[1] != "self"
	if r.kinds = namespaceFiles[m[2]]; r.kinds == 0 {
		r.kinds = 1 << otherNamespace
	}
	return r, -1
}

// text returns the constant string in an expression, or the format of the call that makes it.
func (c *checker) text(e ast.Expr) string {
	if v := c.pass.TypesInfo.Types[e].Value; v != nil && v.Kind() == constant.String {
		return constant.StringVal(v)
	}
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok && len(call.Args) > 0 &&
		strings.HasPrefix(calleeName(c.pass.TypesInfo, call), "fmt.Sprint") {
		return c.text(call.Args[0])
	}
	return ""
}

// noteReading records where the result of a call that reads state is kept.
func (c *checker) noteReading(call *ast.CallExpr, lhs []ast.Expr) {
	r, into := c.readerOf(call)
	switch {
	case r.what == "":
		return
	case into < 0 && len(lhs) > 0:
		r.into = c.holder(lhs[0])
	case into >= 0 && into < len(call.Args):
		r.into = c.holder(call.Args[into])
	}
	c.readings[call] = r
	if r.into != nil {
		c.originals[r.into] |= r.kinds
	}
}

// holder returns the variable or field of an expression such as x, &x, s.x, x[0].
func (c *checker) holder(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if e.Name != "_" {
			return c.pass.TypesInfo.ObjectOf(e)
		}
	case *ast.SelectorExpr:
		return c.pass.TypesInfo.Uses[e.Sel]
	case *ast.UnaryExpr:
		return c.holder(e.X)
	case *ast.StarExpr:
		return c.holder(e.X)
	case *ast.IndexExpr:
		return c.holder(e.X)
	}
	return nil
}

// ofOriginals matches names of variables with original state, such as a parameter.
var ofOriginals = regexp.MustCompile(`^(old|orig|prev|saved?[A-Z_])|(Old|Orig|Prev|Saved)`)

// originalIn returns the variable with original state that a setter sets again, or nil.
func (c *checker) originalIn(call *ast.CallExpr, set kindSet) (found types.Object) {
	ast.Inspect(call, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && found == nil {
			v, ok := c.pass.TypesInfo.Uses[id].(*types.Var)
			if ok && (c.originals[v].matches(set) || ofOriginals.MatchString(v.Name())) {
				found = v
			}
		}
		return found == nil
	})
	return found
}

// checkReading reports original state that is read before the lock. The goroutine may change its
// thread in between.
func (c *checker) checkReading(u *unit, p point) {
	r := c.readings[p.call]
	if u.test || r.into == nil || !p.before.surelyUnlocked() || !c.locksLater(u, p.pos) ||
		c.reachedLocked(u, map[*unit]bool{}) {
		return
	}
	for _, v := range c.units {
		if v.decl != u.decl {
			continue
		}
		for _, q := range v.flow.points {
			if q.kind != setting && q.kind != deferSetting || q.pos < p.pos || c.originalIn(q.call, r.kinds) != r.into {
				continue
			}
			c.report(checkSetup, u, p.pos, p.call.End(),
				fmt.Sprintf("%s before LockOSThread reads the %s of a thread that may not be the one that is locked, "+
					"and line %d puts it back: lock first", r.what, r.kinds, c.line(q.pos)),
				related(q.pos, "put back here"))
			return
		}
	}
}

// reachedLocked reports whether some caller in the package, near or far, holds a lock.
func (c *checker) reachedLocked(u *unit, seen map[*unit]bool) bool {
	if u == nil || seen[u] {
		return false
	}
	seen[u] = true
	if u.entry == inline && (len(u.parent.flow.sites) > 0 || c.reachedLocked(u.parent, seen)) {
		return true
	}
	for _, use := range u.uses {
		if use.asGo {
			continue
		}
		for _, p := range use.by.flow.points {
			if p.call == use.call && !p.before.surelyUnlocked() {
				return true
			}
		}
		if c.reachedLocked(use.by, seen) {
			return true
		}
	}
	return false
}
