package handler

import (
	"context"
	"net/http"
	"runtime"

	"handler/pb"
)

func serve(w http.ResponseWriter, r *http.Request) {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `handler: every request to this HTTP handler pins a thread: send the work`
	defer runtime.UnlockOSThread()
}

func register() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		// errno is the thread's.
		runtime.LockOSThread() //vet:test // want `every request to this HTTP handler pins a thread`
		defer runtime.UnlockOSThread()
	})
}

type api struct{ jobs chan func() }

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.through() // want `every request to this HTTP handler pins a thread, in errno`
}

func (a *api) through() { errno() }

func errno() {
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
}

func starts(w http.ResponseWriter, r *http.Request) {
	go errno() // want `every request to this HTTP handler pins a thread, in errno`
}

// sends is how it should be.
func (a *api) sends(w http.ResponseWriter, r *http.Request) {
	done := make(chan bool)
	a.jobs <- func() { errno(); close(done) }
	<-done
}

func (a *api) worker() {
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for job := range a.jobs {
		job()
	}
}

func noHandler(w http.ResponseWriter, r *http.Request, more int) {
	errno()
}

type server struct{ pb.UnimplementedRunnerServer }

func (s *server) Run(ctx context.Context, r *pb.Request) (*pb.Request, error) {
	// errno is the thread's.
	runtime.LockOSThread() //vet:test // want `every request to this gRPC handler pins a thread`
	defer runtime.UnlockOSThread()
	return nil, nil
}

func (s *server) Close() {
	// errno is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
}
