# Panshi. `make` alone prints the targets; each says what it does after its "##".

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# One compilation serves binary, tests and lint: without cgo everywhere. The race detector needs cgo.
export CGO_ENABLED := 0

# What a release is built with. `make ci` clears it, so that binary and tests share their packages.
BUILDFLAGS ?= -trimpath -ldflags=-s
# What all tests run by. Lint vets, once and not with each package; nobody debugs a test's binary.
GOTEST := go test -vet=off -ldflags=-s
# Extra flags for go test, such as TESTFLAGS='-run TestSettle -v'.
TESTFLAGS ?=
# How long each fuzz function runs.
FUZZTIME ?= 3s
# What runs under the race detector: the writer, the money path, the simulator, the jobs.
# What C became in Go is left out: it alone takes minutes to compile, and its locks are Go's.
RACEPKGS ?= ./internal/db/... ./internal/jobs/... ./internal/checkout/... ./internal/stock/... ./sandbox/...

TOOLS := $(CURDIR)/.tools
GOLANGCI_VERSION := v2.15.0
GOFUMPT_VERSION := v0.12.0
GOLANGCI := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)
GOFUMPT := $(TOOLS)/gofumpt-$(GOFUMPT_VERSION)

##@ Start

.PHONY: help
help: ## print this
	@awk 'BEGIN { FS = ":.*## "; print "make TARGET" } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: ## build, fill a demo shop in .demo/, start it with the payment sandbox, print how to buy
	@scripts/run.sh

.PHONY: build
build: ## build bin/panshi, one static binary
	@mkdir -p bin
	go build $(BUILDFLAGS) -o bin/panshi ./cmd/panshi

.PHONY: ui
ui: ## build the console's pages from ui/console/src into the committed dist (Node.js; Go builds without it)
	@scripts/ui.sh build

.PHONY: ui-fresh
ui-fresh: ## prove that ui/console/dist is what its source makes
	@scripts/ui.sh fresh

.PHONY: setup
setup: ## install what tests need and is missing: Debian packages (as root), npm packages
	@scripts/setup.sh

##@ Test

.PHONY: test
test: test-go test-postgres test-faults test-browser ## all tests, and first what they need

# The program that whole-program tests start, so that not each package links its own.
test-go test-postgres: export PANSHI_BIN := $(CURDIR)/bin/panshi

.PHONY: test-go
test-go: setup build ## go test of every package, short torture and end-to-end tests included
	$(GOTEST) -timeout 10m $(TESTFLAGS) $$(scripts/packages.sh)

.PHONY: test-postgres
test-postgres: setup build ## the tests of stores and the black-box tests again, on a PostgreSQL that they start
	PANSHI_TEST_ENGINE=postgres $(GOTEST) -timeout 10m $(TESTFLAGS) $$(scripts/engine-packages.sh)

.PHONY: test-faults
test-faults: setup ## crash at every named point and look what is left, on both engines
	$(GOTEST) -tags faultpoints -timeout 10m $(TESTFLAGS) ./internal/vault ./test/torture/...
	PANSHI_TEST_ENGINE=postgres $(GOTEST) -tags faultpoints -timeout 10m $(TESTFLAGS) ./test/torture/...

.PHONY: test-browser
test-browser: setup build ## buy in a real browser, phone and desktop, both languages
	@scripts/browser.sh test

.PHONY: race
race: ## the concurrent packages under the race detector
	CGO_ENABLED=1 $(GOTEST) -race -gcflags='modernc.org/...=-race=false' -short -timeout 10m $(TESTFLAGS) $(RACEPKGS)

.PHONY: fuzz
fuzz: ## every fuzz function for FUZZTIME each (default 3s)
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: torture
torture: ## the long torture: kills under load, power losses, histories, every crash point (an hour and more)
	PANSHI_TORTURE=long go test -timeout 90m -count=1 -v $(TESTFLAGS) ./test/torture/... ./test/powerloss/... ./test/histories/...
	PANSHI_TORTURE=long go test -timeout 90m -count=1 -v -run TestEveryBuyer $(TESTFLAGS) ./internal/checkout
	PANSHI_TORTURE=long go test -tags faultpoints -timeout 60m -count=1 -v $(TESTFLAGS) ./test/torture/...
	PANSHI_TEST_ENGINE=postgres PANSHI_TORTURE=long go test -timeout 90m -count=1 -v $(TESTFLAGS) ./test/torture/...
	PANSHI_TEST_ENGINE=postgres PANSHI_TORTURE=long go test -tags faultpoints -timeout 60m -count=1 -v $(TESTFLAGS) ./test/torture/...

.PHONY: budget
budget: setup ## count instructions of place, settle and a cached read against test/bench/budget.json
	go test -tags budget -timeout 10m -count=1 -v -run TestInstructionBudget $(TESTFLAGS) ./test/bench

.PHONY: perf
perf: build ## measure both engines at all sizes into docs/performance.md (an hour, on a quiet machine)
	@scripts/perf.sh

.PHONY: failures
failures: build ## inject every failure of docs/recovery-proof.md, PANSHI_SEEDS times each (default 1)
	@PANSHI_BIN=$(CURDIR)/bin/panshi scripts/failures.sh $(or $(PANSHI_SEEDS),1)

.PHONY: nightly
nightly: ## everything, long, with a summary: ci, all under race, fuzz, torture, failures, random moments, figures
	@scripts/nightly.sh

.PHONY: bench
bench: ## benchmarks of every package
	go test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

##@ Check

.PHONY: lint
lint: tools ## golangci-lint, gofumpt, vet, module checks
	@scripts/lint.sh $(GOLANGCI) $(GOFUMPT)

.PHONY: arch
arch: ## the rules of the house (internal/archtest)
	go test -count=1 ./internal/archtest/

.PHONY: fmt
fmt: $(GOFUMPT) ## format all Go files
	@find . \( -name node_modules -o -name testdata -o -name '.?*' \) -prune -o -name '*.go' -print0 | xargs -0 $(GOFUMPT) -w

.PHONY: ci
ci: ## what a change must pass: tools, lint, arch, tests, race, fuzz; prints the time of each
	@scripts/ci.sh

##@ Other

.PHONY: tools
tools: $(GOLANGCI) $(GOFUMPT) ## build the pinned linters into .tools/

# A tool's file name carries its version, so raising the version builds it anew.
$(GOLANGCI):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(TOOLS)/golangci-lint $@

$(GOFUMPT):
	GOBIN=$(TOOLS) go install mvdan.cc/gofumpt@$(GOFUMPT_VERSION)
	@mv $(TOOLS)/gofumpt $@

.PHONY: screenshots
screenshots: setup build ## the shop's pages as pictures, into test/browser/artifacts/
	@scripts/browser.sh screenshots

.PHONY: changelog
changelog: ## print the unreleased changes
	@scripts/changelog.sh

.PHONY: clean
clean: ## remove what was built, the demo shop included; .tools/ stays
	rm -rf bin .demo .tmp coverage.out test/browser/artifacts
