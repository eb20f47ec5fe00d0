# `make` alone prints this list.
GO      ?= go
TAGS    := nomsgpack
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
TOOL    := $(GO) tool -modfile=tools/go.mod
PKGS    := ./...

.DEFAULT_GOAL := help
.PHONY: help run demo build test test-fast deps golden fuzz bench lint fmt vuln verify image ci shots

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

run: build ## build and start the demo: two companies, signed samples, a mailbox (needs Go only)
	@./bin/careerrelay demo

demo: run ## the same as run

build: ## build bin/careerrelay
	@CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/careerrelay ./cmd/careerrelay

deps: ## find or install what the tests need: redis-server, PostgreSQL, Chromium
	@./scripts/test-deps

test: deps ## run every layer of tests
	$(GO) test -tags $(TAGS) -timeout 15m $(PKGS)

test-fast: ## run what needs no server and no browser
	CAREERRELAY_FAST=1 $(GO) test -short -tags $(TAGS) -timeout 5m $(PKGS)

golden: ## rewrite the golden files; read the diff before committing
	$(GO) test -tags $(TAGS) ./ats/... ./configs/... ./connectors/... ./mail/... ./relay/... ./web/... -update || true
	@git status --short

fuzz: ## run each fuzz target for 30 seconds
	@./scripts/fuzz 30s

bench: deps ## measure: ratios in one run, as docs/performance.md explains
	@./scripts/bench

lint: ## run the linters, which also enforce the import rules
	$(TOOL) golangci-lint run --build-tags $(TAGS) $(PKGS)

fmt: ## format
	$(TOOL) golangci-lint fmt

vuln: ## look for known vulnerabilities (needs the vulnerability database)
	$(TOOL) govulncheck -tags $(TAGS) $(PKGS)

verify: ## check that generated files are current and released migrations are unchanged
	@./scripts/verify

shots: build deps ## take the pictures in docs/img from the running demo
	$(GO) test -tags $(TAGS) -run TestTheDemoInABrowser ./cmd/careerrelay -args -pictures

image: ## build the container image
	@./scripts/image

ci: verify lint test ## what CI runs
