// Package pb is like the output of protoc-gen-go-grpc.
package pb

import (
	"context"

	_ "google.golang.org/grpc"
)

type Request struct{}

type RunnerServer interface {
	Run(context.Context, *Request) (*Request, error)
	mustEmbedUnimplementedRunnerServer()
}

type UnimplementedRunnerServer struct{}

func (UnimplementedRunnerServer) Run(context.Context, *Request) (*Request, error) { return nil, nil }
func (UnimplementedRunnerServer) mustEmbedUnimplementedRunnerServer()             {}
