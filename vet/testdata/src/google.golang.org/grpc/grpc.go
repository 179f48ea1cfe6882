// Package grpc stands in for google.golang.org/grpc.
package grpc

type ServerStream interface{ Context() any }
