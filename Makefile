PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := $(if $(VERSION),-X main.version=$(VERSION))
SUDO    := $(if $(filter 0,$(shell id -u)),,sudo)
ARGS    ?=
N       ?= 5

.PHONY: help build install demo test repeat lint generate verify stability cases truth matrix gomatrix results bench soak \
        updateoffsets profile clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-13s %s\n", $$1, $$2}' Makefile
	@echo 'Flags of a tool are passed by ARGS, as in: make bench ARGS="-part hooks"; ARGS=-h lists them.'

build: ## build bin/pinwatch, static, with the committed BPF objects (no clang needed)
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/pinwatch ./cmd/pinwatch

install: build ## install pinwatch, its manual page and its shell completion below PREFIX (/usr/local)
	install -D -m 755 bin/pinwatch $(DESTDIR)$(PREFIX)/bin/pinwatch
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	  $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d $(DESTDIR)$(PREFIX)/share/man/man1
	bin/pinwatch completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pinwatch
	bin/pinwatch completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pinwatch
	bin/pinwatch completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pinwatch.fish
	bin/pinwatch man >$(DESTDIR)$(PREFIX)/share/man/man1/pinwatch.1

demo: build ## observe a built-in pinned workload for a few seconds (root)
	$(SUDO) bin/pinwatch demo

test: ## run every test that decides about the code; those that load BPF programs need root
	@scripts/setup test
	@go run ./scripts/test $(ARGS)

repeat: ## run make test N times alone and N times beside two CPU hogs, a row per test that ever failed (root; N=5)
	@scripts/setup test
	@go run ./scripts/test -repeat $(N) $(ARGS)

lint: ## vet, gofmt, static checks and the import table
	@scripts/setup lint
	@go run ./scripts/lint $(ARGS)

generate: ## rebuild bpf/*_bpfel.go and .o from the C sources (needs clang-19)
	@scripts/setup generate
	go generate .

verify: build ## compare the specification's statements with this machine, and the verdicts with the baseline (root)
	$(SUDO) bin/pinwatch verify --expect docs/results/baseline.json $(ARGS)

stability: build ## verify five times alone and three times beside two CPU hogs, and compare the verdicts (root)
	@go run ./scripts/stability $(ARGS)

cases: ## observe the programs made after public reports, and check what is printed (root; ARGS="-run TestCases/NAME -show")
	@scripts/setup test
	go test -count=1 -pgo=off -timeout 30m ./internal/cases -all $(ARGS)

truth: ## compare durations and bias with other instruments, into docs/accuracy.md (root; alone; error 4: inconclusive)
	@scripts/setup truth
	go test -pgo=off -c -o .cache/truth.test ./internal/truth
	cd internal/truth && ../../.cache/truth.test -test.v -test.timeout=30m \
	  -test.run='^Test(Truth|Bias|Aggregate|Resumes)' -truth -truth.out=$(CURDIR)/docs/accuracy.md

matrix: ## run the kernel tests and the demo on kernels from 5.10 to the newest, under QEMU
	@scripts/setup matrix
	@go run ./scripts/matrix $(ARGS)

gomatrix: build ## observe workloads built by Go 1.13 to the newest, against their accounts, and test what reads memory on each (root)
	@go run ./scripts/gomatrix $(ARGS)

results: ## make docs/results again from this commit: releases, kernels, baseline, source (root; alone; an hour)
	@scripts/setup matrix
	@go run ./scripts/results/remake $(ARGS)

bench: build ## measure what pinwatch costs, beside its peers, into docs/performance.md (root; alone; 15 minutes)
	@scripts/setup bench
	@go run ./scripts/bench $(ARGS)

soak: build ## observe a workload for an hour, attaching again and again, and write what grew to docs/accuracy.md (root)
	@go run ./scripts/soak -out docs/accuracy.md $(ARGS)

updateoffsets: ## derive internal/goruntime/offsets/offsets.txt from the Go releases that it names
	@go run ./scripts/updateoffsets $(ARGS)

profile: ## renew cmd/pinwatch/default.pgo, the CPU profile that pinwatch is built with
	@mkdir -p .cache
	go test ./correlate -run '^$$' -bench '^Benchmark(PingPong|Crowd|Churn|Storm|Path)$$' -benchtime 2s \
	  -cpuprofile .cache/cpu.pprof -outputdir $(CURDIR) -o .cache/correlate.test
	cp .cache/cpu.pprof cmd/pinwatch/default.pgo

clean: ## remove what was built or fetched
	rm -rf bin .cache
