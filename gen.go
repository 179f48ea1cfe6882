// Package pinwatch measures, from the kernel, the cost of a Go process's operating-system threads.
// It holds no code. ARCHITECTURE.md describes the packages.
package pinwatch

//go:generate sh bpf/generate.sh
