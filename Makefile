GO       ?= go
SHORT    ?= 30s
LINT     := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
INFO     := github.com/postrider/postrider/internal/buildinfo
APT      := $(if $(filter 0,$(shell id -u)),,sudo )apt-get

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build worker, enqueue and simulator into bin/
	$(GO) build -ldflags "-X $(INFO).version=$(VERSION) -X $(INFO).revision=$(REVISION)" -o bin/ ./cmd/...

.PHONY: demo
demo: ## run everything in one process; needs no Redis
	$(GO) run ./cmd/worker demo

.PHONY: setup
setup: ## install redis-server, which the tests need, from the system's packages
	@command -v redis-server >/dev/null 2>&1 || { \
	  if command -v apt-get >/dev/null 2>&1; then $(APT) update -qq && $(APT) install -y -qq redis-server; \
	  elif command -v dnf >/dev/null 2>&1; then sudo dnf install -y redis; \
	  elif command -v brew >/dev/null 2>&1; then brew install redis; \
	  else echo "install redis-server (7.0 or later) and run make again" >&2; exit 1; fi; }

.PHONY: test
test: setup ## run all tests with the race detector
	$(GO) test -race ./...

.PHONY: lint
lint: ## gofmt, vet and golangci-lint
	@out=$$(gofmt -l cmd internal pkg test *.go); test -z "$$out" || { echo "not gofmt: $$out" >&2; exit 1; }
	$(GO) vet ./...
	$(LINT) run

.PHONY: check
check: setup lint ## run everything that CI checks
	$(GO) mod tidy -diff
	$(GO) test -race ./...
	$(MAKE) fuzz-brief
	$(MAKE) bench ARGS=-short

.PHONY: docs
docs: ## generate the documents that follow from the vendors' tables
	$(GO) test -run TestDocumentsFollowFromTheData -update .

.PHONY: bench
bench: setup ## run the benchmarks against plain asynq and plain HTTP (ARGS=-short: a brief run)
	$(GO) test -run '^$$' -bench . -benchtime 1x $(ARGS) ./test/bench

.PHONY: e2e
e2e: setup ## run the end-to-end tests of the commands at full size
	$(GO) test -v -count 1 -timeout 30m -run 'TestCampaign|TestEveryChunk|TestRedisTrouble|TestWorkersKeepOneLimit|TestALimitedApp|TestPackedAndSingle|TestTenWorkers|TestOneOfFive|TestFourKills|TestAWorkerThatIsFrozen|TestAQuota|TestHighPriority|TestAVendor' ./test/e2e \
	  -campaign 1000000 -chunks 25000 -outage 30s -flow 20s -highs 500 -crowd 200000 -away 1m

.PHONY: chaos
chaos: setup ## break workers, Redis and vendors at random for 3 minutes, and account for every token (SEED=n repeats a run)
	$(GO) test -v -count 1 -timeout 30m -run TestChaos ./test/chaos -tokens 200000 -duration 3m $(if $(SEED),-seed $(SEED)) $(ARGS)

.PHONY: prove
prove: setup ## run the proofs that nothing is lost (crashes, power loss, clocks, ledger, chaos) and print a summary
	.ci/prove

.PHONY: images
images: ## build substitutes for the public base images, for machines without a registry (ARGS=--force: rebuild)
	deploy/docker/base-images.sh $(ARGS)

.PHONY: image
image: ## build the container image postrider:VERSION and print its size
	docker build -t postrider:$(VERSION) -f deploy/docker/Dockerfile --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg GOPROXY=$(GOPROXY) .
	@docker image inspect -f '{{index .RepoTags 0}}: {{.Size}} bytes' postrider:$(VERSION)

.PHONY: compose-test
compose-test: ## start docker-compose.yml, break it, and account for every token
	$(GO) test -v -count 1 -timeout 30m ./test/compose -compose $(ARGS)

.PHONY: fuzz
fuzz: ## run every fuzz target for SHORT (default 30s)
	.ci/fuzz $(SHORT)

.PHONY: fuzz-brief
fuzz-brief: ## run every fuzz target with a few inputs from its seeds
	.ci/fuzz 200x
