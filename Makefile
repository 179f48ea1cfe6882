PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := $(if $(VERSION),-X main.version=$(VERSION))
SUDO    := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: help build install demo test verify truth generate lint bench soak matrix go-matrix clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' Makefile

build: ## build bin/pinwatch, static, with the committed BPF objects (no clang needed)
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/pinwatch ./cmd/pinwatch

install: build ## install pinwatch and its shell completion on sudo's path, below PREFIX (/usr/local)
	install -D -m 755 bin/pinwatch $(DESTDIR)$(PREFIX)/bin/pinwatch
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	bin/pinwatch completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pinwatch
	bin/pinwatch completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pinwatch

demo: build ## watch a built-in pinned workload for a few seconds
	$(SUDO) bin/pinwatch demo

test: ## run all tests; those that load BPF programs when run as root
	@scripts/setup test
	@scripts/test

verify: build ## hold every statement of the specification against this machine, and fail where a verdict is not docs/results/baseline.json's (root)
	$(SUDO) bin/pinwatch verify --expect docs/results/baseline.json

truth: ## compare durations and bias with other instruments, and write docs/accuracy.md (root; alone on the machine; exit 4: inconclusive)
	@scripts/setup truth
	go test -pgo=off -c -o .cache/truth.test ./internal/truth
	cd internal/truth && ../../.cache/truth.test -test.v -test.timeout=30m -test.run='^Test(Truth|Bias|Aggregate|Resumes)' -truth -truth.out=$(CURDIR)/docs/accuracy.md

generate: ## rebuild bpf/*_bpfel.go and .o from the C sources (needs clang-19)
	@scripts/setup generate
	go generate .

lint: ## vet, gofmt, static checks and the import arrows
	@scripts/setup lint
	@scripts/lint

bench: ## measure what pinwatch costs, beside its peers, into docs/performance.md (root, 15 minutes)
	@scripts/bench

soak: ## watch a workload for an hour, attaching and leaving, and note in docs/accuracy.md what grew (root)
	@scripts/soak --out docs/accuracy.md

matrix: ## boot tests and demo on kernels from 5.10 to the newest, under QEMU
	@scripts/kernel-matrix

go-matrix: ## observe one workload built by Go 1.13 to the newest, and hold each report against the workload's account
	@scripts/go-matrix

clean: ## remove what was built or fetched
	rm -rf bin .cache
