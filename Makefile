GO      ?= go
SHORT   ?= 30s
LINT    := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
APT     := $(if $(filter 0,$(shell id -u)),,sudo )apt-get

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build worker, enqueue and simulator into bin/
	$(GO) build -o bin/ ./cmd/...

.PHONY: demo
demo: ## run everything in one process, with nothing installed
	$(GO) run ./cmd/worker demo

.PHONY: setup
setup: ## install what the tests need: redis-server, from the system's packages
	@command -v redis-server >/dev/null 2>&1 || { \
	  if command -v apt-get >/dev/null 2>&1; then $(APT) update -qq && $(APT) install -y -qq redis-server; \
	  elif command -v dnf >/dev/null 2>&1; then sudo dnf install -y redis; \
	  elif command -v brew >/dev/null 2>&1; then brew install redis; \
	  else echo "install redis-server (7.0 or later) and run make again" >&2; exit 1; fi; }

.PHONY: test
test: setup ## set up and run all tests, with the race detector
	$(GO) test -race ./...

.PHONY: lint
lint: ## gofmt, vet and golangci-lint
	@out=$$(gofmt -l cmd internal pkg *.go); test -z "$$out" || { echo "not gofmt: $$out" >&2; exit 1; }
	$(GO) vet ./...
	$(LINT) run

.PHONY: check
check: setup lint ## everything that CI checks
	$(GO) mod tidy -diff
	$(GO) test -race ./...
	$(MAKE) fuzz-brief
	$(MAKE) bench ARGS=-short

.PHONY: docs
docs: ## write the documents that follow from the vendors' tables
	$(GO) test -run TestDocumentsFollowFromTheData -update .

.PHONY: bench
bench: setup ## measure against plain asynq and plain HTTP, in one run (ARGS=-short for a brief one)
	$(GO) test -run '^$$' -bench . -benchtime 1x $(ARGS) ./internal/bench

.PHONY: e2e
e2e: setup ## run the commands as processes, at full size: campaign, outages, dead chunks, what workers share
	$(GO) test -v -count 1 -timeout 30m -run 'TestCampaign|TestEveryChunk|TestRedisTrouble|TestWorkersKeepOneLimit|TestTenWorkers|TestAQuota|TestHighPriority|TestAVendor' ./internal/e2e \
	  -campaign 1000000 -chunks 25000 -outage 30s -flow 20s -highs 500 -crowd 200000 -away 1m

.PHONY: chaos
chaos: setup ## break workers, Redis and vendors at random for 3 minutes, and account for every token (SEED=n repeats a run)
	$(GO) test -v -count 1 -timeout 30m -run TestChaos ./internal/chaos -tokens 200000 -duration 3m $(if $(SEED),-seed $(SEED)) $(ARGS)

.PHONY: fuzz
fuzz: ## run every fuzz target for SHORT (30s) each
	.ci/fuzz $(SHORT)

.PHONY: fuzz-brief
fuzz-brief: ## run every fuzz target with a few inputs, from its seeds
	.ci/fuzz 200x
