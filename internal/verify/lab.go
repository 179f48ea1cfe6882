package verify

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/pinwatch/pinwatch/internal/contract"
	"github.com/pinwatch/pinwatch/internal/gosource"
	"github.com/pinwatch/pinwatch/internal/observe"
	"github.com/pinwatch/pinwatch/internal/workload"
	"github.com/pinwatch/pinwatch/internal/workload/client"
)

// Lab has what experiments need: the programs to be observed, and the observer.
type Lab struct {
	GoVersion string   // release that built the workloads
	Program   []string // command line before a workload's name and flags
	Environ   []string // environment of the workloads; nil = that of this process
	CPUs      []int    // that workloads are confined to; nil = any
	Emulated  bool     // the CPUs are emulated, as in contract.Evidence
	// Alter has further flags for workloads, by name. Tests use it to show that verdicts change
	// with the world. nil = none.
	Alter map[string][]string
	// Cgo builds the workload with C by the same release and gives its command line.
	Cgo func(context.Context) ([]string, error)
	// Control builds the C program without Go and gives its path.
	Control func(context.Context) (string, error)
	// Release builds the workload by another release of Go and gives its command line.
	Release func(ctx context.Context, release string) ([]string, error)
	// Goroot fetches the release that built the workloads.
	Goroot func(context.Context) (string, error)
	// Source opens the source of that release.
	Source func(context.Context) (*gosource.Tree, error)
	// Unobserved is why this machine gives no kernel events; "" when it does.
	Unobserved string
}

// variable is the value of a variable in the environment of the workloads; "" = not set.
func (l *Lab) variable(name string) (value string) {
	if l.Environ == nil {
		return os.Getenv(name)
	}
	for _, v := range l.Environ { // of several, the last is used (package os/exec)
		if is, text, _ := strings.Cut(v, "="); is == name {
			value = text
		}
	}
	return value
}

// start starts the built-in workload that args name and waits until it is set up.
func (r *run) start(args ...string) (*client.Process, error) {
	return r.startAs(r.lab.Program, nil, args...)
}

func (r *run) startAs(program, env []string, args ...string) (*client.Process, error) {
	var p *client.Process
	err := confined(r.lab.CPUs, func() (err error) {
		p, err = r.launch(client.Options{Program: program, Env: env}, args...)
		return err
	})
	return p, err
}

func (r *run) launch(o client.Options, args ...string) (*client.Process, error) {
	args = append(args[:len(args):len(args)], r.lab.Alter[args[0]]...)
	r.Workloads = append(r.Workloads, strings.Join(append(o.Env[:len(o.Env):len(o.Env)], args...), " "))
	o.Env = append(o.Env[:len(o.Env):len(o.Env)], workload.ClaimsVariable+"=1")
	o.Environ = r.lab.Environ
	return client.Start(r, o, args...)
}

// trial runs a trial to its end and decodes its account.
func (r *run) trial(account any, args ...string) error {
	return r.trialAs(r.lab.Program, nil, account, args...)
}

func (r *run) trialAs(program, env []string, account any, args ...string) error {
	r.Source = "the workload's account"
	p, err := r.startAs(program, env, args...)
	if err != nil {
		return err
	}
	if err := r.account(p, account); err != nil {
		p.Kill()
		return err
	}
	return p.End()
}

// account decodes the account of a trial, and checks the claims that come before it.
func (r *run) account(p *client.Process, account any) error {
	for {
		var line json.RawMessage
		if err := p.Read(&line); err != nil {
			return err
		}
		var c workload.Claims
		if err := json.Unmarshal(line, &c); err != nil || c.Claims == nil {
			return json.Unmarshal(line, account)
		}
		r.check(p, c.Claims)
		if err := p.Send(workload.Go); err != nil {
			return err
		}
	}
}

// watched is a workload that pinwatch observed from the rest before its activity to the rest after
// it. The observation and the account are of the same activity.
type watched struct {
	*observe.Window
	account workload.Account
}

// lastSwitch is how long a thread that has left the process may still run in the kernel.
const lastSwitch = 50 * time.Millisecond

// watch lets a workload work for a time while pinwatch observes it.
func (r *run) watch(work time.Duration, env []string, args ...string) (*watched, error) {
	if r.lab.Unobserved != "" {
		return nil, unableError(r.lab.Unobserved)
	}
	r.Source = "kernel events, and the workload's account"
	p, err := r.startAs(r.lab.Program, env, append(args, "-hold")...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r)
	defer cancel()
	began, ended := make(chan struct{}), make(chan error, 1)
	w := &watched{}
	go func() {
		var err error
		w.Window, err = observe.Run(ctx, observe.Config{PID: p.PID, OnBegin: func() error {
			close(began)
			return nil
		}})
		ended <- err
	}()
	select {
	case <-began:
	case err := <-ended:
		p.Kill()
		return nil, errors.Join(err, r.Err())
	}
	err = p.Go()
	if err == nil {
		pause(r, work)
		var account *workload.Account
		if account, err = p.Quiesce(); err == nil {
			w.account = *account
		}
	}
	pause(r, lastSwitch)
	cancel()
	err = errors.Join(err, <-ended)
	if err != nil {
		p.Kill()
		return nil, err
	}
	if err := p.End(); err != nil {
		return nil, err
	}
	r.Lossy = r.Lossy || contract.Lossy(w.Result.Loss)
	return w, nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
